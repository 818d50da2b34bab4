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

NOUNS = {
    "Kitchen": ("saucepan", "cutting board", "whisk", "colander", "kettle", "mixing bowl", "apron", "spice jar"),
    "Tableware": ("plate", "mug", "jug", "salad bowl", "tumbler", "cake stand", "napkin ring", "butter dish"),
    "Lighting": ("lantern", "table lamp", "candle holder", "string light", "lampshade", "night light", "pendant",
                 "wall light"),
    "Textiles": ("cushion", "throw", "tea towel", "duvet cover", "curtain", "rug", "tablecloth", "pillowcase"),
    "Bath": ("bath mat", "soap dish", "hand towel", "laundry basket", "mirror", "shower caddy", "robe hook",
             "toothbrush cup"),
    "Garden": ("watering can", "planter", "bird feeder", "trowel", "doormat", "garden chair", "plant label",
               "hose reel"),
    "Stationery": ("notebook", "pen tray", "card set", "desk pad", "gift wrap", "wall calendar", "ring binder",
                   "pencil case"),
    "Play": ("wooden train", "puzzle", "skittles", "kite", "rag doll", "building blocks", "card game", "spinning top"),
}  # fmt: skip
LOOKS = ("ashen", "coastal", "meadow", "harbour", "russet", "linen", "speckled", "copper", "slate", "willow",
         "orchard",
         "pebble", "amber", "heron", "bramble", "chalk")  # fmt: skip
MATERIALS = ("oak", "stoneware", "enamel", "cotton", "glass", "bamboo", "steel", "wool")
COLOURS = ("sand", "navy", "sage", "rust", "cream", "charcoal")
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
    "stopped working after two days",
    "arrived with a broken part",
    "leaks at the seam",
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
    "Product control": (8.0, 5_000),
}  # fmt: skip
