"""The memory of the house: records, two narrow ports, their backends, and the storage actors that own them."""
