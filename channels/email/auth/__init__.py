"""Who wrote a mail: SPF, DKIM, ARC and DMARC, or what our own mail server found of them.

Marks only: nothing here may drop, refuse or long delay a mail.
"""
