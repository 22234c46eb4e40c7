"""Runs, wherever they are: what there is to read of them and to ask of them, on this machine and in a cluster alike.

The command line, the page and the Python interface are three ways to show it. Nothing here prints, or knows a terminal or a browser.
"""
