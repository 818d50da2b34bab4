"""Words of the simulated shop: names, queries and sentences, all invented here."""

from __future__ import annotations

SHOP_TITLE, CURRENCY = "Harbour Lane (simulated)", "GBP"

#: Brand, and where it stands: (plain to decorative, delicate to sturdy).
BRANDS = {
    "Oakmere": (-0.9, 0.9), "Fennick": (-0.6, 0.2), "Tidewell": (0.1, 0.9), "Larkspun": (0.9, -0.6),
    "Marrow & Pine": (-0.2, 0.6), "Brindleby": (0.8, 0.3), "Quillhaven": (0.4, -0.9), "Sorrel Works": (-0.8, -0.5),
    "Dovecrest": (0.2, -0.3), "Kestrelline": (-0.3, -0.8),
}  # fmt: skip
OWN_LABEL = "Harbour Lane"

#: What each category sells: article -> (length of its longest side in cm, materials that such a thing is made of).
ARTICLES = {
    "Kitchen": {"saucepan": (24, "steel enamel"), "cutting board": (38, "oak bamboo"), "whisk": (28, "steel"),
                "colander": (26, "steel enamel"), "kettle": (25, "steel enamel"),
                "mixing bowl": (27, "stoneware steel glass"), "apron": (85, "cotton linen"),
                "spice jar": (11, "glass stoneware")},
    "Tableware": {"plate": (26, "stoneware glass"), "mug": (10, "stoneware enamel"), "jug": (22, "glass stoneware enamel"),
                  "salad bowl": (27, "stoneware glass oak"), "tumbler": (12, "glass"), "cake stand": (30, "glass stoneware"),
                  "napkin ring": (5, "oak steel"), "butter dish": (18, "stoneware glass enamel")},
    "Lighting": {"lantern": (32, "steel glass"), "table lamp": (44, "oak stoneware steel"),
                 "candle holder": (16, "glass stoneware steel"), "string light": (120, "cotton steel"),
                 "lampshade": (36, "linen cotton paper"), "night light": (14, "stoneware glass"),
                 "pendant": (40, "glass steel bamboo"), "wall light": (24, "steel glass")},
    "Textiles": {"cushion": (45, "cotton linen wool"), "throw": (170, "wool cotton"), "tea towel": (70, "cotton linen"),
                 "duvet cover": (200, "cotton linen"), "curtain": (240, "cotton linen"), "rug": (180, "wool cotton jute"),
                 "tablecloth": (220, "cotton linen"), "pillowcase": (75, "cotton linen")},
    "Bath": {"bath mat": (80, "cotton bamboo"), "soap dish": (14, "stoneware glass bamboo"), "hand towel": (90, "cotton linen"),
             "laundry basket": (55, "bamboo cotton"), "mirror": (50, "oak steel bamboo"), "shower caddy": (34, "steel bamboo"),
             "robe hook": (9, "steel oak"), "toothbrush cup": (11, "stoneware glass bamboo")},
    "Garden": {"watering can": (36, "steel enamel"), "planter": (30, "stoneware oak"), "bird feeder": (26, "oak steel glass"),
               "trowel": (32, "steel"), "doormat": (70, "jute"), "garden stool": (45, "oak steel bamboo"),
               "plant label": (12, "oak bamboo steel"), "hose reel": (45, "steel")},
    "Stationery": {"notebook": (21, "paper cotton"), "pen tray": (25, "oak bamboo steel"), "card set": (15, "paper"),
                   "desk pad": (60, "wool cotton"), "gift wrap": (70, "paper"), "wall calendar": (42, "paper"),
                   "ring binder": (32, "paper cotton"), "pencil case": (21, "cotton wool")},
    "Play": {"toy train": (28, "oak"), "puzzle": (36, "oak paper"), "skittles": (24, "oak"), "kite": (110, "cotton paper"),
             "rag doll": (38, "cotton linen"), "building blocks": (26, "oak bamboo"), "card game": (12, "paper"),
             "spinning top": (8, "oak steel")},
}  # fmt: skip
NOUNS = {category: tuple(articles) for category, articles in ARTICLES.items()}
#: A need that four new products answer: its category, its article, and the theme of searches that it answers.
SOLVED = ("Garden", "solar lantern", "solar garden lights")
SOLVED_ARTICLE = (28, "glass steel")
LOOKS = ("ashen", "coastal", "meadow", "harbour", "russet", "moorland", "speckled", "sunrise", "dusk", "heather",
         "orchard",
         "pebble", "amber", "heron", "bramble", "chalk")  # fmt: skip
MATERIALS = ("oak", "stoneware", "enamel", "cotton", "glass", "bamboo", "steel", "wool", "linen", "paper", "jute")
COLOURS = ("sand", "navy", "sage", "terracotta", "cream", "charcoal")
STYLES = ("plain", "classic", "rustic", "decorative")

#: Other words that visitors use for what is sold; the site's search knows the first half of them only.
SYNONYMS = {
    "torch lamp": "lantern", "chopping board": "cutting board", "beaker": "mug", "blanket": "throw", "pot": "saucepan",
    "sieve": "colander", "notepad": "notebook", "jigsaw": "puzzle", "flower pot": "planter",
        "washing hamper": "laundry basket",
    "carpet": "rug", "bean bag game": "skittles",
}  # fmt: skip
N_KNOWN_SYNONYMS = 6

#: Needs that the shop does not serve: theme -> (share of all searches, queries).
UNMET = {
    "air fryer": (0.042, ("air fryer", "airfryer", "small air fryer", "air fryer basket", "hot air cooker")),
    "pet beds": (0.032, ("dog bed", "cat bed", "washable dog bed", "dog cushion large", "pet blanket")),
    "solar garden lights": (0.026, ("solar lights", "solar lantern garden", "solar path lights",
                            "solar string lights")),
    "kids desks": (0.018, ("childrens desk", "kids desk", "desk for child", "small study desk")),
    "linen napkins": (0.012, ("linen napkins", "cloth napkins", "reusable napkins", "napkin set linen")),
    "refill soap": (0.009, ("soap refill", "refillable soap", "hand wash refill", "soap without plastic")),
}  # fmt: skip

#: Review themes: (position as for brands, praise, complaint).
THEMES = {
    "sturdiness": ((-0.4, 1.1), ("feels solid and well built", "has survived daily use without a mark",
                   "is heavy in a good way"),
                   ("wobbles and feels weak", "cracked within weeks", "is flimsier than it should be")),
    "simplicity": ((-1.1, 0.1), ("is simple and does its job", "has a clean plain shape",
                   "fits anywhere without fuss"),
                   ("is too plain for the price", "looks a bit bare", "has no detail at all")),
    "charm": ((1.1, 0.0), ("is charming and full of detail", "gets compliments from every guest",
              "has a lovely pattern"),
              ("is rather too busy", "has a pattern that looks printed on", "looks fussier than in the photo")),
    "finesse": ((0.5, -1.0), ("is delicate and finely made", "has a beautiful thin edge", "is light and graceful"),
                ("is so delicate I hardly dare use it", "chips if you look at it", "is thin to the point of fragile")),
    "care": ((-0.5, -0.9), ("is easy to clean", "washes well every time", "wipes down in a second"),
             ("is a pain to clean", "stains and stays stained", "came out of the wash smaller")),
    "colour": ((0.8, 0.6), ("has a rich colour", "matches the photo exactly", "brightens the room"),
               ("is a different colour from the photo", "faded quickly", "looks greyer than shown")),
    "value": ((-0.2, 0.3), ("is good value", "costs less than it looks", "was worth every penny"),
              ("is dear for what it is", "is not worth the price", "can be had cheaper elsewhere")),
    "packing": ((0.1, -0.2), ("came well packed", "arrived wrapped with care", "was safe in its box"),
                ("arrived in a crushed box", "was packed too loosely", "came with far too much plastic")),
}  # fmt: skip
FAULT_COMPLAINTS = (
    "came apart after two days",
    "arrived with a broken part",
    "had a fault on the first day",
    "came apart at the joint",
)
OPENERS = ("Bought this in spring:", "Second one I own;", "A present for my sister.", "Ordered on a whim,",
           "After a month of use:",
           "Honest opinion:", "We use it every day,", "Long search, and then this.")  # fmt: skip
CLOSERS_GOOD = ("Would order again.", "Very happy with it.", "Recommended.", "It stays.")
CLOSERS_BAD = ("It went back.", "Not again.", "Disappointed.", "I expected more.")
TITLES_GOOD, TITLES_BAD = (
    ("Lovely", "Just right", "Very pleased", "Good buy"),
    ("Disappointing", "Not for me", "Poor", "Sent back"),
)

#: Service cases: topic -> (share of ordinary cases, sentences).
TICKETS = {
    "delivery": (0.42, ("Where is my parcel? The tracking has not moved for days.", "My order is late, can you check?",
                        "The driver left the parcel with nobody.", "Delivery was promised for yesterday.")),
    "returns": (0.22, ("How do I send an item back?", "My refund has not arrived yet.",
                "The return label does not open.")),
    "product": (0.20, ("Is this safe in the dishwasher?", "What are the measurements?",
                "When will this be back in stock?")),
    "damaged": (0.10, ("One piece arrived broken.", "The item has a crack along the side.",
                "The lid does not close.")),
    "payment": (0.06, ("I was charged twice.", "My card was declined, though it works elsewhere.",
                "The voucher code is refused.")),
}  # fmt: skip
OUTAGE_TICKETS = (
    "Payment fails every time I try.",
    "Your checkout turns in circles after I enter my card.",
    "I cannot pay, the page shows an error.",
)

COMPETITORS = {"Northgate Home": 0.95, "Tallow & Co": 1.08, "Budgetree": 0.82}
DEPARTMENTS = {
    "Technology": (18.0, 9_000), "Marketing": (14.0, 22_000), "Buying": (16.0, 30_000), "Customer service": (12.0, 4_000),
    "Logistics": (20.0, 12_000), "Stores": (15.0, 8_000), "Management": (4.0, 6_000), "Data": (10.0, 3_000),
    "Product control": (8.0, 5_000), "Design": (9.0, 4_000), "Content": (8.0, 3_000), "Finance": (3.0, 1_000),
}  # fmt: skip
