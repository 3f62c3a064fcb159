//! The order of contenders within a round.

/// The turns of a round as (contender, size). The sizes of one contender are adjacent: they are compared with each other, and
/// a machine that is slow for a while should affect all of them. Contenders reverse every round and sizes every two, so that
/// none always runs first or always after the same one.
pub(super) fn turns(contenders: usize, sizes: usize, round: u32) -> Vec<(usize, usize)> {
    let order = |count: usize, reversed: bool| (0..count).map(move |n| if reversed { count - 1 - n } else { n });
    let with_sizes = |contender| order(sizes, round & 2 == 2).map(move |size| (contender, size));
    order(contenders, round & 1 == 1).flat_map(with_sizes).collect()
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn within_four_rounds_both_orders_are_reversed() {
        let rounds = [0, 1, 2, 3].map(|round| turns(2, 2, round));
        assert_eq!(rounds[0], [(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(rounds[1], [(1, 0), (1, 1), (0, 0), (0, 1)]);
        assert_eq!(rounds[2], [(0, 1), (0, 0), (1, 1), (1, 0)]);
        assert_eq!(rounds[3], [(1, 1), (1, 0), (0, 1), (0, 0)]);
    }

    #[test]
    fn every_contender_runs_every_size_in_every_round() {
        for round in 0..4 {
            let mut all = turns(3, 4, round);
            all.sort_unstable();
            assert_eq!(all, (0..12).map(|n| (n / 4, n % 4)).collect::<Vec<_>>());
        }
    }
}
