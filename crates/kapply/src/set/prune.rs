//! Deleting what left the set, exactly as it was judged.

use super::{ApplySet, reach::Reach};
use crate::{
    connect::Cluster,
    delete::{self, DeleteOptions, Fate, Victim, Word},
    interrupt::Interrupt,
    plan::{Prune, Verdict},
    resolve::Target,
};

impl Prune {
    /// The member as an object to delete.
    #[must_use]
    pub fn victim(&self, set: &str) -> Victim {
        Victim {
            live: self.live.clone(),
            resource: self.resource.clone(),
            member_of: Some(set.to_owned()),
        }
    }
}

impl ApplySet {
    /// Deletes what is to go, as far as it still belongs to the set and to no
    /// controller, and gives back what became of each prune, in their order.
    /// What is kept or refused is not touched.
    pub async fn prune(
        &self,
        cluster: &Cluster,
        prunes: &[Prune],
        options: &DeleteOptions,
        interrupt: &Interrupt,
        observe: impl FnMut(&Victim, Word<'_>),
    ) -> Vec<Fate> {
        let victims: Vec<_> = prunes
            .iter()
            .filter(|prune| prune.verdict == Verdict::Delete)
            .map(|prune| prune.victim(self.id()))
            .collect();
        let mut fates = delete::delete(cluster, &victims, options, interrupt, observe)
            .await
            .into_iter();
        let fate = |prune: &Prune| match &prune.verdict {
            // There is a fate for every victim.
            Verdict::Delete => fates
                .next()
                .unwrap_or_else(|| Fate::Skipped("it was not looked at".to_owned())),
            Verdict::Keep(reason) | Verdict::Refused(reason) => Fate::Kept(reason.clone()),
        };
        prunes.iter().map(fate).collect()
    }
}

/// Where members are left: the targets, and everything that did not go.
#[must_use]
pub fn remaining(targets: &[Target], prunes: &[Prune], fates: &[Fate]) -> Reach {
    let mut reach = Reach::of(targets);
    for (prune, fate) in prunes.iter().zip(fates) {
        if !fate.is_gone() {
            reach.add(&prune.resource, prune.live.namespace());
        }
    }
    reach
}
