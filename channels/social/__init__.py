"""What channels of public platforms share: words out of posts, who asks nothing, public replies, pictures, budgets.

May not know a platform's protocol; a channel that needs none of it imports none of it.
"""
