//! The end of a set: its members are deleted, or only let go of, and the
//! parent goes when no member is left.

use futures::stream::{self, StreamExt as _};
use http::Request;
use serde_json::json;

use super::{
    Allow, AllowPrune, ApplySet, GroupKind, SetError, Tooling, marks,
    members::{Census, Member},
    prune::remaining,
    verdict::verdicts,
};
use crate::{
    connect::{Cluster, RequestError, Retry},
    delete::{self, DeleteOptions, Fate, Victim, Word},
    discover::Catalog,
    interrupt::Interrupt,
    plan::{Prune, Verdict},
    problem::{Problem, Problems},
};

/// What became of the members, and of the parent as the last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dissolution {
    /// The objects.
    pub victims: Vec<Victim>,
    /// What became of each.
    pub fates: Vec<Fate>,
}

impl Dissolution {
    fn add(&mut self, victims: Vec<Victim>, fates: Vec<Fate>) {
        self.victims.extend(victims);
        self.fates.extend(fates);
    }
}

/// Deletes all members and then the parent. The parent stays as long as a
/// member is kept or held.
///
/// # Errors
/// A guard refuses a member, the members cannot be listed, or the parent
/// cannot be written. Nothing has been changed in the first two cases.
pub async fn delete(
    set: &mut ApplySet,
    cluster: &Cluster,
    catalog: &Catalog,
    allow: &AllowPrune,
    options: &DeleteOptions,
    interrupt: &Interrupt,
    mut observe: impl FnMut(&Victim, Word<'_>),
) -> Result<Dissolution, SetError> {
    let members = own_members(set, cluster, catalog).await?;
    let home = set.parent.namespace.clone();
    let is_home = |member: &Member| {
        member.kind() == GroupKind::parse("Namespace")
            && Some(member.live.name()) == home.as_deref()
    };
    let (homes, members): (Vec<_>, Vec<_>) = members.into_iter().partition(is_home);
    let most = AllowPrune([allow.0.as_slice(), &[Allow::Most]].concat());
    let total = members.len();
    let census = Census {
        others: members,
        total,
    };
    let prunes = verdicts(census, &[], &set.parent, &most);
    refuse(set, &prunes, &homes, allow)?;

    let (going, kept): (Vec<_>, Vec<_>) = prunes
        .into_iter()
        .partition(|prune| prune.verdict == Verdict::Delete);
    let victims: Vec<_> = going.iter().map(|prune| prune.victim(&set.id)).collect();
    let fates = delete::delete(cluster, &victims, options, interrupt, &mut observe).await;
    let mut done = Dissolution::default();
    let mut left = remaining(&[], &going, &fates);
    for prune in kept {
        left.add(&prune.resource, prune.live.namespace());
        if let Verdict::Keep(reason) = &prune.verdict {
            let victim = prune.victim(&set.id);
            let fate = Fate::Kept(reason.clone());
            observe(&victim, Word::Ended(&fate));
            done.add(vec![victim], vec![fate]);
        }
    }
    done.add(victims, fates);
    if !left.kinds.is_empty() {
        for home in homes {
            left.add(&home.resource, None);
        }
        set.narrow(cluster, catalog, &left, &Tooling::own(), options.dry_run)
            .await?;
        return Ok(done);
    }
    let last = match homes.into_iter().next() {
        // The parent goes with its namespace.
        Some(home) => vec![home.victim(&set.id)],
        None => parent_victim(set, cluster).await?,
    };
    let fates = delete::delete(cluster, &last, options, interrupt, &mut observe).await;
    done.add(last, fates);
    Ok(done)
}

/// Takes the label off all members and deletes the parent; the members stay as they are.
///
/// # Errors
/// The members cannot be listed; nothing has been changed then.
pub async fn release(
    set: &mut ApplySet,
    cluster: &Cluster,
    catalog: &Catalog,
    options: &DeleteOptions,
    interrupt: &Interrupt,
    mut observe: impl FnMut(&Victim, Word<'_>),
) -> Result<Dissolution, SetError> {
    let members = own_members(set, cluster, catalog).await?;
    let victims: Vec<_> = members
        .into_iter()
        .map(|member| member.victim(&set.id))
        .collect();
    let id = set.id.as_str();
    let fates: Vec<Fate> = stream::iter(&victims)
        .map(|victim| async move {
            if interrupt.is_set() {
                return Fate::Skipped("interrupted before it was released".to_owned());
            }
            unlabel(cluster, victim, id, options.dry_run).await
        })
        .buffered(options.concurrency.max(1))
        .collect()
        .await;
    for (victim, fate) in victims.iter().zip(&fates) {
        observe(victim, Word::Ended(fate));
    }
    let mut done = Dissolution::default();
    let all = fates
        .iter()
        .all(|fate| !matches!(fate, Fate::Failed(_) | Fate::Skipped(_)));
    done.add(victims, fates);
    if all {
        let last = parent_victim(set, cluster).await?;
        let fates = delete::delete(cluster, &last, options, interrupt, &mut observe).await;
        done.add(last, fates);
    }
    Ok(done)
}

/// The members without those that a controller made, and without the parent.
async fn own_members(
    set: &ApplySet,
    cluster: &Cluster,
    catalog: &Catalog,
) -> Result<Vec<Member>, SetError> {
    if set.record.is_none() {
        return Err(SetError::Parent {
            parent: Box::new(set.parent.clone()),
            reason: "there is no such set; `kapply sets -A` lists all".to_owned(),
        });
    }
    let mut members = set.census(cluster, catalog, &[]).await?.others;
    let uid = set.record.as_ref().map(|record| record.uid.as_str());
    members.retain(|member| member.controller().is_none() && Some(member.live.uid()) != uid);
    Ok(members)
}

fn refuse(
    set: &ApplySet,
    prunes: &[Prune],
    homes: &[Member],
    allow: &AllowPrune,
) -> Result<(), SetError> {
    let refused = prunes.iter().filter_map(|prune| match &prune.verdict {
        Verdict::Refused(reason) => Some(format!(
            "{} would be deleted: {reason}",
            prune.victim(&set.id)
        )),
        _ => None,
    });
    let homes = homes.iter().filter(|_| !allow.has(Allow::Namespaces)).map(|home| {
        format!("{} would be deleted: everything in the namespace would go with it; allow it with --allow-prune=namespaces", home.clone().victim(&set.id))
    });
    let refused: Vec<_> = refused.chain(homes).map(Problem::general).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let advice = "to keep something, annotate it with kapply.dev/prune: disabled; to keep everything, use --orphan";
    Err(SetError::Refused(Problems(
        refused
            .into_iter()
            .chain([Problem::general(advice)])
            .collect(),
    )))
}

async fn parent_victim(set: &ApplySet, cluster: &Cluster) -> Result<Vec<Victim>, SetError> {
    let live = set.parent.read(cluster).await?;
    let victim = live.map(|live| Victim {
        live,
        resource: set.parent.resource.clone(),
        member_of: None,
    });
    Ok(victim.into_iter().collect())
}

async fn unlabel(cluster: &Cluster, victim: &Victim, id: &str, dry_run: bool) -> Fate {
    // A slash in a JSON pointer is written ~1 (RFC 6901).
    let label = format!("/metadata/labels/{}", marks::PART_OF.replace('/', "~1"));
    let patch = json!([{"op": "test", "path": "/metadata/uid", "value": victim.live.uid()},
        {"op": "test", "path": label, "value": id}, {"op": "remove", "path": label}]);
    let query = if dry_run { "&dryRun=All" } else { "" };
    let request = Request::patch(format!(
        "{}?fieldManager=kapply-applyset{query}",
        victim.path()
    ))
    .header("content-type", "application/json-patch+json")
    .body(patch.to_string().into_bytes());
    let request = match request {
        Ok(request) => request,
        Err(error) => return Fate::Failed(error.to_string()),
    };
    match cluster.send(&request, Retry::Transient).await {
        Ok(_) => Fate::Released,
        Err(RequestError::Status(status)) if status.code == 404 => Fate::Missing,
        // A test of the patch failed.
        Err(RequestError::Status(status))
            if status.code == 422 && status.message.contains("test") =>
        {
            Fate::Kept("it left the set meanwhile".to_owned())
        }
        // Admission may quote what it denies, and only metadata was read of it.
        Err(error) => Fate::Failed(cluster.mask.unread(&victim.resource, &error.to_string())),
    }
}
