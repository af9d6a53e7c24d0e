"""The drivers, in folders by what they read through; each module is one (CONTRIBUTING.md).

A module whose name begins with an underscore is no driver but what its folder's drivers share.
"""
