"""Chips on SPI."""
