//! Ring vectors, bit packing, the scalar field and Shamir sharing.
