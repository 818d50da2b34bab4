-- Returns are rows of the same export with a negative quantity; every column of a raw table is text.
SELECT Beleg || '-' || Pos AS return_id, Beleg AS order_id, Artikel AS product_id, strptime(Datum, '%d.%m.%Y %H:%M') AS returned_at,
    -CAST(Menge AS INTEGER) AS quantity, -CAST(Menge AS INTEGER) * CAST(replace(replace(Preis, '.', ''), ',', '.') AS DECIMAL(18,4)) AS refund_amount
FROM sold WHERE Menge LIKE '-%'
