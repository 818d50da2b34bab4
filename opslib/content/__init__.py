"""The site's own sections and pages: who sees them, how long they last, what they lack, and when they are wanted."""

from opslib.content.freshness import page_decays, page_weeks
from opslib.content.offer import content_calendar, section_offer, topic_pages
from opslib.content.reach import page_reach

__all__ = ["content_calendar", "page_decays", "page_reach", "page_weeks", "section_offer", "topic_pages"]
