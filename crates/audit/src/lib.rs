//! Records, canonical form, hash chain, verification, exports. Pure.
