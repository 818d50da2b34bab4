"""Tests of product control."""
