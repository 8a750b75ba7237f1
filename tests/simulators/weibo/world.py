"""What Weibo knows: users, posts, comments, private conversations; and how it shows them as JSON (wiki, "Status",
"Comment"). May not answer requests or know limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Literal

BEIJING: Final = timezone(timedelta(hours=8))
OURS: Final = 1902538057
CUT: Final = 140
"""Characters of a post that a list shows (isLongText)."""
DELETED: Final = "抱歉，此微博已被作者删除。查看帮助：http://t.cn/RfjhjGd"
DELETED_ORIGINAL: Final = "此微博已被原作者删除。"
FIRST_ID: Final = 9_100_000_000_000_000
"""Above 2**53: whoever reads ids as JSON numbers in a language that has only doubles loses digits."""
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Gone = Literal["", "shown", "missing"]
"""Deleted posts: still in lists, with a text that says so and no user; or not there at all."""


@dataclass
class User:
    id: int
    screen_name: str
    location: str = "北京 朝阳区"
    verified_type: int = -1
    followers: int = 12


@dataclass
class Post:
    id: int
    uid: int
    text: str
    created: float
    pictures: list[str] = field(default_factory=list)
    lat: float | None = None
    long: float | None = None
    original: int | None = None
    edits: int = 0
    gone: Gone = ""


@dataclass
class Comment:
    id: int
    uid: int
    post: int
    text: str
    created: float
    answers: int | None = None
    gone: bool = False
    rip: str = ""


@dataclass
class Talk:
    """What allows private messages to one citizen: when he last wrote (or followed …), was last pushed to us as a
    mention, and whether that mention was answered."""

    follows: bool = True
    said: float | None = None
    mentioned: float | None = None
    answered: float | None = None


@dataclass
class Message:
    """One private message, from us or to us."""

    sender: int
    receiver: int
    kind: str
    text: str
    at: float
    via: Literal["citizen", "passive", "reply"]


@dataclass
class World:
    """Everything, and the indexes that lists are made of (ids, rising)."""

    us: str = "北京12345"
    users: dict[int, User] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    posts: dict[int, Post] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    talks: dict[int, Talk] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    mentions: list[int] = field(default_factory=list)
    comment_mentions: list[int] = field(default_factory=list)
    to_me: list[int] = field(default_factory=list)
    by_me: list[int] = field(default_factory=list)
    below: dict[int, list[int]] = field(default_factory=dict)
    last_id: int = FIRST_ID
    token: str = "weibo-token"
    token_until: float | None = None
    tokens_expired: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.users.setdefault(OURS, User(OURS, self.us, "北京", verified_type=1, followers=1_000_000))
        self.names.setdefault(self.us, OURS)

    def user(self, name: str) -> User:
        """The one of that name; a new one, when there is none."""
        if name not in self.names:
            uid = 5_000_000_000 + len(self.users)
            self.names[name] = uid
            self.users[uid] = User(uid, name)
        return self.users[self.names[name]]

    def new_id(self) -> int:
        self.last_id += 7
        return self.last_id

    def add_post(self, post: Post) -> Post:
        self.posts[post.id] = post
        if f"@{self.us}" in post.text and post.uid != OURS:
            self.mentions.append(post.id)
        return post

    def add_comment(self, comment: Comment) -> Comment:
        self.comments[comment.id] = comment
        self.below.setdefault(comment.post, []).append(comment.id)
        if comment.uid == OURS:
            self.by_me.append(comment.id)
            return comment
        if f"@{self.us}" in comment.text:
            self.comment_mentions.append(comment.id)
        answered = self.comments.get(comment.answers or 0)
        if self.posts[comment.post].uid == OURS or (answered is not None and answered.uid == OURS):
            self.to_me.append(comment.id)
        return comment


def when(moment: float) -> str:
    """`Tue May 31 17:46:55 +0800 2011`, whatever the locale."""
    at = datetime.fromtimestamp(moment, UTC).astimezone(BEIJING)
    return f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at:%d %H:%M:%S %z %Y}"


class Shown:
    """The world as JSON; `host` is where the pictures are."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._host = host

    def user(self, uid: int) -> dict[str, Any]:
        user = self._world.users[uid]
        return {
            "id": user.id,
            "idstr": str(user.id),
            "screen_name": user.screen_name,
            "name": user.screen_name,
            "province": "11",
            "city": "5",
            "location": user.location,
            "description": "",
            "profile_image_url": f"{self._host}/thumbnail/face{user.id}.jpg",
            "gender": "f",
            "followers_count": user.followers,
            "friends_count": 30,
            "statuses_count": 100,
            "created_at": "Fri Aug 28 00:00:00 +0800 2009",
            "following": False,
            "verified": user.verified_type >= 0,
            "verified_type": user.verified_type,
            "follow_me": False,
        }

    def post(self, post: Post, *, whole: bool = False, inside: bool = False) -> dict[str, Any]:
        """As in a list; `whole`: with the long text; `inside`: as the original of a repost."""
        if post.gone:
            text = DELETED_ORIGINAL if inside else DELETED
            return self._head(post) | {"text": text, "deleted": "1", "geo": None, "source": ""}
        long = len(post.text) > CUT
        shown = self._head(post) | {
            "text": f"{post.text[:CUT]}...全文： http://m.weibo.cn/{post.uid}/{post.id} \u200b" if long else post.text,
            "textLength": len(post.text),
            "source": '<a href="http://app.weibo.com/t/feed/6vtZb0" rel="nofollow">微博网页版</a>',
            "favorited": False,
            "truncated": False,
            "in_reply_to_status_id": "",
            "geo": None if post.lat is None else {"type": "Point", "coordinates": [post.lat, post.long]},
            "isLongText": long,
            "pic_urls": [{"thumbnail_pic": f"{self._host}/thumbnail/{name}.jpg"} for name in post.pictures],
            "user": self.user(post.uid),
            "reposts_count": sum(1 for one in self._world.posts.values() if one.original == post.id) if inside else 0,
            "comments_count": len(self._world.below.get(post.id, ())),
            "attitudes_count": 0,
            "visible": {"type": 0, "list_id": 0},
        }
        if post.pictures:
            name = post.pictures[0]
            for key, size in (("thumbnail_pic", "thumbnail"), ("bmiddle_pic", "bmiddle"), ("original_pic", "large")):
                shown[key] = f"{self._host}/{size}/{name}.jpg"
        if post.edits:
            shown |= {"edit_count": post.edits, "edit_config": {"edited": True}}
        if whole and long:
            shown["longText"] = {"longTextContent": post.text}
        if post.original is not None:
            shown["retweeted_status"] = self.post(self._world.posts[post.original], whole=whole, inside=True)
        return shown

    def comment(self, comment: Comment) -> dict[str, Any]:
        shown = {
            "created_at": when(comment.created),
            "id": comment.id,
            "idstr": str(comment.id),
            "mid": str(comment.id),
            "text": comment.text,
            "source": '<a href="http://weibo.com" rel="nofollow">新浪微博</a>',
            "user": self.user(comment.uid),
            "status": self.post(self._world.posts[comment.post]),
        }
        if comment.answers is not None and comment.answers in self._world.comments:
            answered = self._world.comments[comment.answers]
            shown["reply_comment"] = {
                "created_at": when(answered.created),
                "id": answered.id,
                "idstr": str(answered.id),
                "text": answered.text,
                "user": self.user(answered.uid),
            }
        return shown

    def _head(self, post: Post) -> dict[str, Any]:
        return {"created_at": when(post.created), "id": post.id, "idstr": str(post.id), "mid": str(post.id)}
