//! The orders at which Renyi curves are kept.

/// A fixed, rising list of Renyi orders above 1. Curves on different grids have different types and cannot be added.
pub trait OrderGrid: Clone + PartialEq + core::fmt::Debug {
    /// The orders.
    const ORDERS: &'static [f64];
}

/// 2, 3, ..., 128 and 256: for bounds that are proved at integer orders only, such as Skellam's, and for every release that
/// a budget filter watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerOrders;

/// 1.1, 1.2, ..., 10.9, then 11, 12, ..., 63, 128, 256, 512 and 1024: for bounds that hold at every order above 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FineOrders;

/// The orders of [`IntegerOrders`], as integers.
pub const ORDERS: [u32; 128] = {
    let mut orders = [256; 128];
    let mut i = 0;
    while i < 127 {
        orders[i] = i as u32 + 2;
        i += 1;
    }
    orders
};

const INTEGERS: [f64; 128] = {
    let mut orders = [0.0; 128];
    let mut i = 0;
    while i < 128 {
        orders[i] = ORDERS[i] as f64;
        i += 1;
    }
    orders
};

const FINE: [f64; 156] = {
    let mut orders = [0.0; 156];
    let mut i = 0;
    while i < 99 {
        orders[i] = (i + 11) as f64 / 10.0;
        i += 1;
    }
    while i < 152 {
        orders[i] = (i - 88) as f64;
        i += 1;
    }
    orders[152] = 128.0;
    orders[153] = 256.0;
    orders[154] = 512.0;
    orders[155] = 1024.0;
    orders
};

impl OrderGrid for IntegerOrders {
    const ORDERS: &'static [f64] = &INTEGERS;
}

impl OrderGrid for FineOrders {
    const ORDERS: &'static [f64] = &FINE;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: an order is missing or repeated, so that a bound is read at an order it was not computed for.
    #[test]
    fn grids_are_the_documented_ones() {
        assert_eq!((FINE[0], FINE[98], FINE[99], FINE[151]), (1.1, 10.9, 11.0, 63.0));
        assert_eq!((INTEGERS[0], INTEGERS[126], INTEGERS[127]), (2.0, 128.0, 256.0));
        assert!(FINE.is_sorted_by(|a, b| a < b) && INTEGERS.is_sorted_by(|a, b| a < b));
    }
}
