from opslib.product_control.faults import product_faults, supplier_months
