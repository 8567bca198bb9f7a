//! All choices of some of N members.

/// Choices are counted up to so many members; beyond, only those of one member and of the first k are
/// taken.
const COUNTED: usize = 8;

/// Every non-empty choice of `count` members, each in ascending order; of more than eight, every
/// single one and the first two, three, … of them.
pub(super) fn subsets(count: usize) -> Vec<Vec<usize>> {
    if count > COUNTED {
        let singles = (0..count).map(|member| vec![member]);
        let first = (2..=count).map(|size| (0..size).collect());
        return singles.chain(first).collect();
    }
    (1_usize..1 << count)
        .map(|choice| (0..count).filter(|m| (choice >> m) & 1 == 1).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_there_once() {
        assert_eq!(subsets(2), [vec![0], vec![1], vec![0, 1]]);
        let all = subsets(5);
        let of_size = |size| all.iter().filter(|choice| choice.len() == size).count();
        assert_eq!([1, 2, 3, 4, 5].map(of_size), [5, 10, 10, 5, 1]);
        let many = subsets(9);
        assert_eq!(many.len(), 9 + 8);
        assert_eq!(many[16], (0..9).collect::<Vec<_>>());
    }
}
