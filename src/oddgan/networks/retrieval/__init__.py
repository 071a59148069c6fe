"""Networks that compare a sample with its neighbours among training rows (RetrievalCritic).

- :mod:`.columns`: the kinds of columns: continuous, boolean or categorical.
- :mod:`.neighbourhood`: reference rows, and features of a sample relative to them, from
  :mod:`.nearest` (exact distances), :mod:`.rarity` (rare values of single columns) and
  :mod:`.core` (references without small clusters of anomalies).
- :mod:`.corruption`: corrupted copies of normal rows; :mod:`.monotone`: critics of the features.
"""
