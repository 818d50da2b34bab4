"""The same answers on DuckDB, PostgreSQL and Spark: the engines, two small shops in each, and every table function on them."""

from tests.engines.servers import copy_shop, postgres_url, spark_backend

__all__ = ["copy_shop", "postgres_url", "spark_backend"]
