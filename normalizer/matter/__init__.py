"""What a ticket is about, boiled down so that two can be compared: reading (words), likeness (score), keys (index).

Pure. May not decide what becomes of two tickets that are alike: workers/linking.py does.
"""
