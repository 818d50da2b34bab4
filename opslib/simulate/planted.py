"""What is planted in every simulated shop: the numbers that a method should find again."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerType:
    """A latent type of customer.

    Repeat orders are Poisson at a Gamma(``r``, ``alpha_weeks``) rate until the customer drops out, which happens after
    each repeat order with a Beta(``a``, ``b``) probability (the BG/NBD process of Fader, Hardie and Lee, 2005).
    """

    name: str
    share: float  # of all people, 0-1
    r: float
    alpha_weeks: float
    a: float
    b: float
    conversion: float  # of a repeat visit, 0-1
    lines: float  # mean lines an order
    units: float  # mean units a line
    budget_share: float  # probability that an order looks for cheap products first
    promotion_response: float  # factor on conversion while a promotion runs
    season_power: float  # exponent on the season of the year
    coupon_share: float  # of orders with a 10 % coupon
    missions: tuple[float, ...]  # weights of MISSIONS
    is_business: bool = False


CUSTOMER_TYPES = (
    CustomerType(name="regular", share=0.30, r=1.4, alpha_weeks=16.0, a=1.2, b=8.0, conversion=0.16, lines=4.0,
                 units=1.3,
                 budget_share=0.35, promotion_response=1.1, season_power=1.0, coupon_share=0.04, missions=(5, 3, 1, 1,
                     1)),
    CustomerType(name="bargain", share=0.24, r=1.0, alpha_weeks=19.0, a=1.0, b=4.0, conversion=0.12, lines=3.0,
                 units=1.6,
                 budget_share=0.95, promotion_response=2.2, season_power=1.0, coupon_share=0.45, missions=(2, 4, 1, 1,
                     3)),
    CustomerType(name="gift", share=0.20, r=1.8, alpha_weeks=56.0, a=1.0, b=9.0, conversion=0.15, lines=3.2, units=1.2,
                 budget_share=0.10, promotion_response=1.0, season_power=2.6, coupon_share=0.03, missions=(1, 1, 0.3,
                     7, 1)),
    CustomerType(name="trade", share=0.06, r=2.2, alpha_weeks=9.0, a=0.8, b=20.0, conversion=0.26, lines=6.5,
                 units=2.8,
                 budget_share=0.50, promotion_response=1.0, season_power=0.4, coupon_share=0.02, missions=(4, 1, 0.5,
                     0.5, 4), is_business=True),
    CustomerType(name="garden", share=0.20, r=1.2, alpha_weeks=25.0, a=1.0, b=6.0, conversion=0.14, lines=3.4,
                 units=1.8,
                 budget_share=0.30, promotion_response=1.1, season_power=0.5, coupon_share=0.05, missions=(0.6, 0.6,
                     8, 0.5, 0.5)),
)  # fmt: skip
SINGLE_TYPE = (replace(CUSTOMER_TYPES[0], name="everyone", share=1.0, missions=(1, 1, 1, 1, 1)),)

#: First-visit conversion before any effect, chance of another visit of somebody who has not bought, days between.
PROSPECT_CONVERSION, PROSPECT_RETURN, PROSPECT_GAP_DAYS = 0.024, 0.30, 8.0

#: Share of all people who were customers before the warm-up, so that the shop opens with its customers.
EXISTING_SHARE, EXISTING_YEARS = 0.028, 4.0

MISSIONS = ("kitchen and table", "bed and bath", "garden", "gifts", "work and craft")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category: how demand answers to price and season, what it costs, and how it is returned."""

    name: str
    elasticity: float
    is_confounded: bool  # prices follow demand while the switch is on
    log_price: float  # mean log price
    summer: float  # log amplitude, positive in summer
    gifts: float  # log bump before Christmas
    return_share: float
    missions: tuple[float, ...]  # pull of each mission


CATEGORIES = (
    Category(name="Kitchen", elasticity=-1.2, is_confounded=False, log_price=2.9, summer=0.0, gifts=0.1,
             return_share=0.04, missions=(6, 0.2, 0.2, 0.8, 0.2)),
    Category(name="Tableware", elasticity=-1.8, is_confounded=False, log_price=2.5, summer=0.0, gifts=0.2,
             return_share=0.05, missions=(5, 0.3, 0.3, 1.5, 0.2)),
    Category(name="Lighting", elasticity=-1.5, is_confounded=True, log_price=3.3, summer=-0.3, gifts=0.1,
             return_share=0.08, missions=(0.4, 2.0, 0.4, 0.8, 1.0)),
    Category(name="Textiles", elasticity=-2.4, is_confounded=False, log_price=2.8, summer=-0.1, gifts=0.1,
             return_share=0.10, missions=(0.5, 6, 0.2, 0.8, 0.2)),
    Category(name="Bath", elasticity=-0.9, is_confounded=False, log_price=2.3, summer=0.0, gifts=0.1,
             return_share=0.04, missions=(0.3, 5, 0.2, 0.8, 0.2)),
    Category(name="Garden", elasticity=-1.6, is_confounded=True, log_price=2.9, summer=0.6, gifts=-0.1,
             return_share=0.05, missions=(0.2, 0.2, 8, 0.4, 0.2)),
    Category(name="Stationery", elasticity=-2.0, is_confounded=False, log_price=1.6, summer=0.0, gifts=0.2,
             return_share=0.02, missions=(0.2, 0.2, 0.2, 2.0, 6)),
    Category(name="Play", elasticity=-1.4, is_confounded=False, log_price=2.6, summer=0.1, gifts=0.6,
             return_share=0.06, missions=(0.2, 0.2, 0.4, 4.0, 1.5)),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A traffic channel; ``cost_per_click`` of zero means unpaid."""

    name: str
    source: str
    medium: str
    campaign: str | None
    arrival_share: float  # of first visits
    conversion: float  # factor on a visit's conversion
    cost_per_click: float


CHANNELS = (
    Channel(name="direct", source="(direct)", medium="(none)", campaign=None, arrival_share=0.20, conversion=1.2,
            cost_per_click=0.0),
    Channel(name="organic_search", source="findall", medium="organic", campaign=None, arrival_share=0.36,
            conversion=1.0, cost_per_click=0.0),
    Channel(name="paid_search", source="findall", medium="cpc", campaign="search-home", arrival_share=0.22,
            conversion=1.15, cost_per_click=1.10),
    Channel(name="paid_social", source="chatterly", medium="paid_social", campaign="social-inspire",
            arrival_share=0.15, conversion=0.55, cost_per_click=0.75),
    Channel(name="affiliate", source="dealnest", medium="affiliate", campaign="partner-tips", arrival_share=0.07,
            conversion=0.9, cost_per_click=0.90),
    Channel(name="email", source="newsletter", medium="email", campaign="weekly-letter", arrival_share=0.0,
            conversion=1.1, cost_per_click=0.0),
    Channel(name="retargeting", source="bannerloop", medium="display", campaign="come-back", arrival_share=0.0,
            conversion=1.0, cost_per_click=0.60),
    Channel(name="store", source="", medium="", campaign=None, arrival_share=0.0, conversion=1.0, cost_per_click=0.0),
)  # fmt: skip
DIRECT, ORGANIC, PAID_SEARCH, PAID_SOCIAL, AFFILIATE, EMAIL, RETARGETING, STORE = range(8)
#: Later visits come through these; paid channels bring first visits only, and retargeting only re-labels later visits.
CUSTOMER_MIX = {DIRECT: 0.45, ORGANIC: 0.27, EMAIL: 0.28}
PROSPECT_MIX = {DIRECT: 0.6, ORGANIC: 0.4}
RETARGETING_SHARE = 0.22
#: Mean channel factor of a customer's visits, taken out of the visit rate so that order rates are the planted ones.
CUSTOMER_MIX_CONVERSION = sum(share * CHANNELS[number].conversion for number, share in CUSTOMER_MIX.items())
WALK_IN_CONVERSION = 0.6

DEVICES = ("mobile", "desktop", "tablet")
DEVICE_SHARES, DEVICE_CONVERSION = (0.58, 0.34, 0.08), (0.85, 1.25, 1.02)
COUNTRIES = ("GB", "IE", "FR", "DE", "NL", "SE")
COUNTRY_SHARES = (0.66, 0.10, 0.08, 0.07, 0.05, 0.04)

#: Probability of each next step in a visit that does not buy (given the one before).
FUNNEL = {
    "not_bounced": 0.58, "list": 0.72, "view_item": 0.80, "add_to_cart": 0.20, "begin_checkout": 0.45,
    "add_shipping_info": 0.65, "add_payment_info": 0.60, "search": 0.24, "guide": 0.12, "remove_from_cart": 0.25,
}  # fmt: skip


#: Checkout steps of a visit that wants to buy, and the share that gets through each; the rest leaves there.
STEPS = {"delivery": 0.86, "payment": 0.90}
COMPLETION = STEPS["delivery"] * STEPS["payment"]
MOST_THROUGH = 0.995


def on_day(number: float) -> float:
    """Share of the demo's 549 days (1 May 2025 to 31 October 2026) at which a day begins; Mondays are 4 + 7 k."""
    return number / 549


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedExperiment:
    """A randomised test with its true effect.

    ``effect`` is the relative change of ``metric`` among treated units while the test runs; with ``is_drawn`` it is drawn for each
    seed from the base rate of shop-wide changes (``ShopConfig.effect_sd``). Dates are shares of the shop's period; ``decided``
    is where the claim's window ends and the test goes on for the follow-up; ``epochs`` are (share of the window, planned
    share of treatment).
    """

    experiment_id: str
    title: str
    unit: str
    metric: str
    starts: float
    ends: float
    effect: float
    promise: float
    meant_verdict: str
    decided: float | None = None
    epochs: tuple[tuple[float, float], ...] = ((0.0, 0.5),)
    is_lossy: bool = False
    is_drawn: bool = False
    base: float = 0.0  # control mean of tests that live in unit_outcomes


# How many visits the demo needs. With two arms of n units and mean p a unit, the relative lift has the standard error
# sqrt(2 (1 - p) / (p n)) (delta method: Deng, Knoblich and Lu, 2018, "Applying the delta method in metric analytics", KDD,
# doi:10.1145/3219819.3219919), and a claim whose effect e is as promised is "supported" where |estimate - e| < 1.96 errors
# and the estimate > 1.96 errors: with a power of 95 % from e = 4 errors on. Errors of 20,000 orders (about 150,000 visits):
#   one-page checkout   checkout completion  p .59, 1,900 checkouts an arm (12 weeks)   error .03    effect .12 = 4 errors
#   countdown banner    checkout completion  p .59,   950 (6 weeks)                     error .04    effect -.14 = 3.7
#   search suggestions  search success       p .47, 2,000 searches treated             error .035   effect .20 = 5.7
#   bundle offer        items an order       c.v. 2.2, 1,000 orders an arm              error .10    effect .15 = 1.5: open
#   photos, basket      conversion           p .13, 6,000 visitors an arm               error .047   base rate .03: open
#   letters             visited              p .30, 25,000 readers an arm               error .014   effects .08, .05, 0
#   shelves, 16 stores  orders of a store    60 a store and window                      error .09    base rate .03: open
# So about half of the claims that are due get a verdict, and shop-wide ones mostly do not: seeing 5 % of conversion would
# take 41,000 visitors an arm, seven times the shop, and `make report` is to take two minutes. What came of eight seeds
# stands in docs/proposals.md.
#: Tests on the site and in stores: they act on visits and orders. Effects on one step are 10 to 40 % of that step.
SITE_EXPERIMENTS = (
    PlantedExperiment(experiment_id="exp-express-checkout", title="One-page checkout", unit="visitor",
               metric="checkout_completion", starts=on_day(305), decided=on_day(389), ends=on_day(473), effect=0.12,
               promise=0.12, meant_verdict="supported"),
    PlantedExperiment(experiment_id="exp-photo-zoom", title="Larger product photos", unit="visitor", metric="conversion",
               starts=on_day(277), decided=on_day(361), ends=on_day(445), effect=0.0, is_drawn=True, promise=0.05,
               meant_verdict="inconclusive"),
    PlantedExperiment(experiment_id="exp-countdown", title="Countdown banner in the checkout", unit="visitor",
               metric="checkout_completion", starts=on_day(368), decided=on_day(410), ends=on_day(452), effect=-0.14,
               promise=0.05, meant_verdict="harmful"),
    PlantedExperiment(experiment_id="exp-similar-items", title="Similar items below the photo", unit="visitor",
               metric="conversion", starts=on_day(396), ends=on_day(480), effect=0.0, promise=0.04,
               meant_verdict="inconclusive (null)"),
    PlantedExperiment(experiment_id="exp-free-returns-note", title="Free-returns note in the basket", unit="visitor",
               metric="conversion", starts=on_day(424), ends=on_day(508), effect=0.0, is_drawn=True, promise=0.08,
               meant_verdict="invalid (sample ratio)", is_lossy=True),
    PlantedExperiment(experiment_id="exp-search-suggest", title="Search suggestions, ramped", unit="visitor",
               metric="search_success", starts=on_day(431), ends=on_day(543), effect=0.20, promise=0.10,
               meant_verdict="confirmed", epochs=((0.0, 0.01), (0.125, 0.10), (0.25, 0.50))),
    PlantedExperiment(experiment_id="exp-bundle-offer", title="Bundle offer in the basket", unit="visitor",
               metric="order_lines", starts=on_day(347), decided=on_day(431), ends=on_day(515), effect=0.15,
               promise=0.10, meant_verdict="supported"),
    PlantedExperiment(experiment_id="exp-sticky-basket", title="Basket stays in sight", unit="visitor", metric="conversion",
               starts=on_day(459), ends=on_day(543), effect=0.0, is_drawn=True, promise=0.05, meant_verdict="inconclusive"),
    PlantedExperiment(experiment_id="exp-no-retargeting", title="Come-back banners withheld from half", unit="visitor",
               metric="conversion", starts=on_day(431), ends=on_day(515), effect=0.0, promise=0.05,
               meant_verdict="inconclusive (null)"),
    PlantedExperiment(experiment_id="exp-delivery-dates", title="Delivery dates on product pages", unit="visitor",
               metric="conversion", starts=on_day(515), ends=on_day(571), effect=0.0, is_drawn=True, promise=0.05,
               meant_verdict="inconclusive (not due)"),
    PlantedExperiment(experiment_id="exp-store-layout", title="New shelf layout, half of the stores", unit="store",
               metric="store_orders", starts=on_day(319), decided=on_day(403), ends=on_day(431), effect=0.0, is_drawn=True,
               promise=0.10, meant_verdict="inconclusive"),
)  # fmt: skip
#: Tests on a newsletter list: outcomes only, in ``unit_outcomes``.
MAIL_EXPERIMENTS = (
    PlantedExperiment(experiment_id="exp-mail-loyalty", title="Loyalty points in the letter", unit="visitor",
               metric="visited", starts=on_day(459), ends=on_day(480), effect=0.08, promise=0.03,
               meant_verdict="confirmed", base=0.30),
    PlantedExperiment(experiment_id="exp-mail-subject", title="Subject line with the product", unit="visitor",
               metric="visited", starts=on_day(487), ends=on_day(508), effect=0.05, promise=0.12,
               meant_verdict="partly", base=0.30),
    PlantedExperiment(experiment_id="exp-mail-weekday", title="Letter on Sundays", unit="visitor", metric="visited",
               starts=on_day(515), ends=on_day(536), effect=0.0, promise=0.06, meant_verdict="refuted", base=0.30),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedChange:
    """Something the shop did (or that happened to it) and its true relative effect while it lasted."""

    change_id: str
    kind: str
    scope: str
    description: str
    starts: float
    ends: float | None  # None while it lasts
    effect: float
    acts_on: str  # "conversion" | "traffic" | "category demand" | "price"
    shows: str


CHANGES = (
    PlantedChange(change_id="chg-guides", kind="content", scope="section:guides", description="Buying guides rewritten",
           starts=0.20, ends=None, effect=0.30, acts_on="conversion",
           shows="sessions.landing_page in /guides, purchase events"),
    PlantedChange(change_id="chg-mobile-release", kind="release", scope="device:mobile", description="Faster mobile pages",
           starts=on_day(214), ends=None, effect=0.15, acts_on="conversion", shows="sessions.device, purchase events"),
    PlantedChange(change_id="chg-navigation", kind="release", scope="device:desktop",
           description="New desktop navigation, taken back", starts=on_day(249), ends=on_day(305), effect=-0.25,
           acts_on="conversion", shows="sessions.device, purchase events"),
    PlantedChange(change_id="chg-address-form", kind="release", scope="device:mobile",
           description="New address form on phones, mended on 20 July", starts=on_day(340), ends=on_day(445),
           effect=-0.30, acts_on="delivery", shows="events.event_name begin_checkout, add_shipping_info; sessions.device"),
    PlantedChange(change_id="chg-kitchen-prices", kind="price", scope="category:Kitchen",
           description="Kitchen list prices raised", starts=0.58, ends=None, effect=0.08, acts_on="price",
           shows="price_history.price, order_lines.quantity"),
    PlantedChange(change_id="chg-linen-guide", kind="content", scope="page:/guides/caring-for-linen",
           description="Guide moved to a new template, its links to products lost", starts=on_day(396), ends=None,
           effect=-0.40, acts_on="conversion", shows="sessions.landing_page, purchase events, events.page"),
    PlantedChange(change_id="chg-outage", kind="outage", scope="site", description="Card payments failed", starts=0.80,
           ends=0.8055, effect=-0.85, acts_on="payment", shows="events.event_name, tickets.topic"),
    PlantedChange(change_id="chg-social", kind="promotion", scope="channel:paid_social",
           description="Social campaign doubled", starts=on_day(488), ends=None, effect=1.2, acts_on="traffic",
           shows="sessions.source, ad_spend.cost_amount"),
)  # fmt: skip

GUIDES = ("lighting-a-room", "caring-for-linen", "planting-a-pot", "setting-a-table", "choosing-a-gift", "a-tidy-desk")
GUIDES_SECTION = "section:guides"
#: The article that is read much when it is new: which guide, when it was published, how much more than another guide it
#: is read on its first day, after how many days that has halved, and what remains.
NEW_GUIDE, NEW_GUIDE_FROM, NEW_GUIDE_PEAK, NEW_GUIDE_HALF_LIFE, NEW_GUIDE_REST = 4, on_day(200), 4.0, 45.0, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplierFault:
    """A bad batch: what one supplier's products bring back while it is sold, as the probability of a line's return."""

    supplier: int
    name: str
    starts: float
    ends: float
    return_share: float
    reason: str


SUPPLIER_FAULT = SupplierFault(supplier=4, name="Supplier E", starts=on_day(444), ends=on_day(500), return_share=0.20,
                               reason="damaged")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetitorCut:
    """A competitor lowers the prices of one category for good, and takes some of our demand there."""

    competitor: str
    category: str
    starts: float
    price_change: float
    own_demand: float


COMPETITOR_CUT = CompetitorCut(competitor="Budgetree", category="Bath", starts=on_day(430), price_change=-0.15,
                               own_demand=-0.14)  # fmt: skip

#: When the products that answer a need came (``wording.SOLVED``).
SOLVED_FROM = on_day(420)
#: Share of returns from the website that are asked for on the site (GA4's refund event), and the survey: its day, how
#: many answered, and the share of each answer that they would give.
REFUND_ON_SITE = 0.8
SURVEY_ID, SURVEY_FROM, SURVEY_SHARE = "S-2026-09", on_day(494), 0.04
SURVEY = {
    "What kept you from ordering?": {"nothing, I ordered": 0.34, "delivery date not clear": 0.27, "price": 0.16,
                                     "did not find what I wanted": 0.13, "other": 0.10},
    "How did you hear of us?": {"friends": 0.31, "search engine": 0.36, "social media": 0.21, "newspaper": 0.12},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A sale: discount on some categories, more traffic, more demand; ``carry_over`` of the uplift is borrowed."""

    change_id: str
    title: str
    categories: tuple[int, ...]
    starts: float
    ends: float
    discount: float
    traffic: float  # relative
    demand: float  # relative, of the categories, discount included


PROMOTIONS = (
    Promotion(change_id="promo-linen", title="Linen weeks", categories=(3, 4), starts=0.12, ends=0.145, discount=0.20,
              traffic=0.15, demand=0.80),
    Promotion(change_id="promo-table", title="Set the table", categories=(1,), starts=0.27, ends=0.295, discount=0.15,
              traffic=0.10, demand=0.60),
    Promotion(change_id="promo-black", title="Late-autumn sale", categories=(0, 2, 7), starts=0.37, ends=0.39,
              discount=0.25, traffic=0.40, demand=0.70),
    Promotion(change_id="promo-desk", title="Back to the desk", categories=(6,), starts=0.61, ends=0.635,
              discount=0.20, traffic=0.10, demand=1.00),
    Promotion(change_id="promo-linen-2", title="Linen weeks again", categories=(3,), starts=0.86, ends=0.885,
              discount=0.20, traffic=0.12, demand=0.80),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedRollout:
    """A change introduced in some units first, not at random; ``effect`` is relative, on orders of treated units."""

    rollout_id: str
    title: str
    unit: str
    starts: float
    effect: float


ROLLOUTS = (
    PlantedRollout(
        rollout_id="roll-click-collect", title="Click and collect desks", unit="store", starts=on_day(431), effect=0.25
    ),
    PlantedRollout(
        rollout_id="roll-local-delivery", title="Local parcel service", unit="market", starts=on_day(319), effect=0.30
    ),
)
#: Stores (share of the first ones by number) and markets that were treated.
ROLLOUT_STORE_SHARE, ROLLOUT_MARKETS = 0.375, ("IE", "NL")

RETURN_REASONS = ("changed mind", "damaged", "not as described", "too small", "faulty")
REASON_SHARES = (0.46, 0.16, 0.18, 0.12, 0.08)
FAULTY_SHARE, FAULTY_RETURN = 0.025, 0.32
