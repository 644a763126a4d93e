//! Nouns that every part of Axon shares: typed ids, names, clock, actor, directory.
