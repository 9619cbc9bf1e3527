//! A row of random numbers to choose by: the same ones in every run.

use proptest::{
    collection::vec,
    prelude::any,
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

/// How often one case chooses; later choices are all the first.
const LENGTH: usize = 400;

pub(crate) struct Choices(std::vec::IntoIter<u16>);

impl Choices {
    pub(crate) fn many(count: usize) -> Vec<Self> {
        let mut runner = TestRunner::deterministic();
        let rows = vec(vec(any::<u16>(), LENGTH), count).new_tree(&mut runner);
        let rows = rows.expect("numbers can always be made").current();
        rows.into_iter().map(|row| Self(row.into_iter())).collect()
    }

    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().unwrap_or_default()) % limit.max(1)
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub(crate) fn one_of<'items, T>(&mut self, items: &'items [T]) -> &'items T {
        &items[self.below(items.len())]
    }
}
