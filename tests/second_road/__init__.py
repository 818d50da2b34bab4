"""Every number that the pages of the demo tell, found again by plain SQL on the raw tables."""
