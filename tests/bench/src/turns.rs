//! Who comes when.

/// Contenders and sizes in the order of their turns in a round. The sizes of a contender are next to each other in time, since
/// they are compared: a machine that is slow for a while is slow for all of them. Both orders are turned around every so
/// often, so that nobody is always the first, or always comes after the same one.
pub(super) fn turns(contenders: usize, sizes: usize, round: u32) -> Vec<(usize, usize)> {
    let order = |count: usize, turned: bool| (0..count).map(move |n| if turned { count - 1 - n } else { n });
    let with_sizes = |contender| order(sizes, round & 2 == 2).map(move |size| (contender, size));
    order(contenders, round & 1 == 1).flat_map(with_sizes).collect()
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn in_four_rounds_both_orders_are_turned_around() {
        let rounds = [0, 1, 2, 3].map(|round| turns(2, 2, round));
        assert_eq!(rounds[0], [(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(rounds[1], [(1, 0), (1, 1), (0, 0), (0, 1)]);
        assert_eq!(rounds[2], [(0, 1), (0, 0), (1, 1), (1, 0)]);
        assert_eq!(rounds[3], [(1, 1), (1, 0), (0, 1), (0, 0)]);
    }

    #[test]
    fn everyone_has_a_turn_in_every_round() {
        for round in 0..4 {
            let mut all = turns(3, 4, round);
            all.sort_unstable();
            assert_eq!(all, (0..12).map(|n| (n / 4, n % 4)).collect::<Vec<_>>());
        }
    }
}
