"""Product control: which products are off beyond chance, what that costs, what to mend first, and what to tell suppliers."""

from opslib.product_control.faults import product_faults, supplier_months
from opslib.product_control.health import category_price_moves, maintenance_list, product_alarms, product_health
from opslib.product_control.sales import category_days, product_sales
