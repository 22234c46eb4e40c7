"""`make kind`: the whole product on a kind cluster, from an empty machine to a finished example."""
