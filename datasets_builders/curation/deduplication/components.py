"""Section 2.1, deduplication: what hangs together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def components(num_nodes: int, pairs: ArrayLike) -> NDArray[np.int32]:
    """Return the connected component of each node, (num_nodes,): numbers from 0 in the order of the smallest nodes.

    Args:
        num_nodes (`int`): nodes are 0 to `num_nodes` - 1.
        pairs: nodes that belong together, (pairs, 2); may be none.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.asarray(pairs, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(num_nodes, num_nodes))
    return connected_components(graph, directed=False)[1]
