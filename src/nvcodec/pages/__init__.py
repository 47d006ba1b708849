"""Pages for a browser: one file each, no network, nothing but this project's code.

`document` puts a page together from its own HTML and script and what all share; `report` is the
page of an encoding and of a comparison; that of `nvc bench` lies there.
"""
