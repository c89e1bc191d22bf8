"""The services of the city: each keeps one promise, in the same rooms as its neighbours."""
