//! What to run, and what of it can be seen to be wrong without a cluster.

use std::path::PathBuf;

use crate::{
    drills::{self, Drill, Need, Params, balance},
    error::{Error, Result},
    load::{generate::Connections, handle::LoadOptions},
};

/// A word of the command line that says what to run.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// Every drill that the flags allow.
    All,
    /// This one.
    One(&'static Drill),
}

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// The drills, in order.
    pub drills: Vec<&'static Drill>,
    /// They are those of `all`.
    pub every: bool,
    /// Drills of `all` that the flags do not allow, with what is missing.
    pub left_out: Vec<(&'static str, String)>,
    /// The namespace of the Deployment and the Service.
    pub namespace: String,
    /// The Deployment.
    pub deployment: String,
    /// The Service.
    pub service: String,
    /// The folder of the report.
    pub report: PathBuf,
    /// The kdrill program, which the load generator is part of.
    pub program: PathBuf,
    /// The image of the load's Job, if it is to be one.
    pub load_image: Option<String>,
    /// The load; its target is found out.
    pub load: LoadOptions,
    /// The drills' parameters.
    pub params: Params,
}

impl Plan {
    /// Takes the drills that were asked for.
    ///
    /// # Errors
    /// [`Error::Usage`] when `all` stands beside others.
    pub fn choose(&mut self, choices: &[Choice]) -> Result<()> {
        if choices
            .iter()
            .all(|choice| matches!(choice, Choice::One(_)))
        {
            self.drills = choices
                .iter()
                .filter_map(|choice| match choice {
                    Choice::One(drill) => Some(*drill),
                    Choice::All => None,
                })
                .collect();
            return Ok(());
        }
        if choices.len() > 1 {
            return Err(Error::Usage(
                "`all` is every drill: name no other beside it".to_owned(),
            ));
        }
        self.every = true;
        for drill in drills::ALL {
            match drill
                .needs
                .iter()
                .find_map(|need| self.params.missing(*need))
            {
                None => self.drills.push(drill),
                Some(missing) => self
                    .left_out
                    .push((drill.name, format!("it needs {missing}"))),
            }
        }
        Ok(())
    }

    /// Refuses what needs no cluster to be seen as wrong.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn check(&self) -> Result<()> {
        let (params, needs) = (&self.params, |need| {
            self.drills.iter().find(|drill| drill.needs.contains(&need))
        });
        let wrong = |text: String| Err(Error::Usage(text));
        if params.scale_to <= params.replicas {
            return wrong(format!(
                "--scale-to {} is not more than --replicas {}: the scale drill could add none",
                params.scale_to, params.replicas
            ));
        }
        if self.load.connections == Connections::Kept
            && self
                .drills
                .iter()
                .any(|drill| drill.name == balance::DRILL.name)
        {
            return wrong(
                "balance counts fresh connections, and --connections kept makes none: give fresh or both".to_owned(),
            );
        }
        for drill in &self.drills {
            if let Some(missing) = drill.needs.iter().find_map(|need| params.missing(*need)) {
                return wrong(format!("{} needs {missing}", drill.name));
            }
        }
        let cuts = [
            (Need::NodeLoss, &params.node_down, "--node-down"),
            (Need::Partition, &params.partition, "--partition"),
        ];
        for (need, command, flag) in cuts {
            if needs(need).is_some() && params.expect_lost.is_some() && command.is_some() {
                return wrong(format!(
                    "--expect-lost says that others take the node away, {flag} that kdrill does: give one of them"
                ));
            }
        }
        Ok(())
    }
}
