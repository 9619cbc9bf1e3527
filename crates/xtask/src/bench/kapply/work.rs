//! What is measured: each work with each tool that can do it, every time in a
//! namespace of its own, and with a look whether it was really done.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::Serialize;

use super::{
    input::{Inputs, Set},
    programs::Programs,
};
use crate::bench::{
    measure::{self, Taken},
    table::Measured,
};
use crate::run::{Runner, say};

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Create 1,000 `ConfigMaps`, apply them again unchanged, and diff with 10 changed
    Many,
    /// Create 10,000 `ConfigMaps`, at most twice
    VeryMany,
    /// Apply this repository's manifests unchanged
    Stack,
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Tool {
    Kapply,
    Kubectl,
    Helm,
    /// Nothing but the requests.
    Bare,
}

impl Work {
    pub(super) fn chosen(only: &[Self]) -> Vec<Self> {
        let all = Self::value_variants();
        let wanted = |work: &&Self| only.is_empty() || only.contains(work);
        all.iter().filter(wanted).copied().collect()
    }

    /// How often it is done when `asked` is asked for.
    pub(super) fn runs(self, asked: usize) -> usize {
        match self {
            Self::Many | Self::Stack => asked,
            Self::VeryMany => asked.min(2),
        }
    }
}

impl Tool {
    pub(super) const ALL: [Self; 4] = [Self::Kapply, Self::Kubectl, Self::Helm, Self::Bare];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kapply => "kapply",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
            Self::Bare => "bare applies",
        }
    }
}

/// What a measurement needs.
pub(super) struct Bench<'session> {
    pub(super) runner: &'session Runner,
    pub(super) programs: &'session Programs,
    pub(super) kubeconfig: &'session PathBuf,
    pub(super) inputs: &'session Inputs,
    pub(super) folder: &'session Path,
}

impl Bench<'_> {
    /// Lets every tool fill its caches, so that nobody is measured without.
    pub(super) fn warm_up(&self) -> anyhow::Result<()> {
        for tool in Tool::ALL {
            let namespace = self.namespace(&format!("warm-{}", tool as u8))?;
            self.run(&self.apply(tool, &self.inputs.one, &namespace, false), 0)?;
        }
        Ok(())
    }

    /// Does a work once.
    pub(super) fn measure(
        &self,
        work: Work,
        tool: Tool,
        run: usize,
    ) -> anyhow::Result<Vec<Measured>> {
        let namespace = self.namespace(&format!("bench-{}-{}-{run}", work as u8, tool as u8))?;
        let inputs = self.inputs;
        say(&format!("    {work:?}, {}, run {}", tool.name(), run + 1));
        let mut all = Vec::new();
        let mut note = |what: &str, taken: Taken, requests: Option<usize>| {
            all.push(Measured {
                what: what.to_owned(),
                tool: tool.name(),
                taken,
                requests,
            });
        };
        match work {
            Work::Many => {
                note(
                    "create 1,000",
                    self.create(tool, &inputs.many, &namespace)?,
                    None,
                );
                if tool != Tool::Bare {
                    let again = self.apply(tool, &inputs.many, &namespace, true);
                    note("unchanged 1,000", self.run(&again, 0)?, None);
                }
                if let Some(diff) = self.diff(tool, &namespace) {
                    note("diff, 10 of 1,000 changed", self.run(&diff, 1)?, None);
                }
            }
            Work::VeryMany => {
                let taken = self.create(tool, &inputs.very_many, &namespace)?;
                note("create 10,000", taken, None);
            }
            Work::Stack if tool == Tool::Bare => {}
            Work::Stack => {
                self.run(&self.apply(tool, &inputs.stack, &namespace, false), 0)?;
                let again = self.apply(tool, &inputs.stack, &namespace, true);
                let taken = self.run(&again, 0)?;
                note("stack unchanged", taken, self.requests(tool, &namespace)?);
            }
        }
        Ok(all)
    }

    fn create(&self, tool: Tool, set: &Set, namespace: &str) -> anyhow::Result<Taken> {
        let taken = self.run(&self.apply(tool, set, namespace, false), 0)?;
        let mut get = self.command(&self.programs.kubectl);
        get.args(["-n", namespace, "get", "configmaps", "-l", "app=bench"]);
        let names = self.runner.output(get.args(["-o", "name"]))?;
        let found = names.lines().count();
        if found != set.count {
            bail!(
                "{} said it was done, but {found} of {} objects are there",
                tool.name(),
                set.count
            );
        }
        Ok(taken)
    }

    fn apply(&self, tool: Tool, set: &Set, namespace: &str, is_there: bool) -> Command {
        let mut command;
        match tool {
            Tool::Kapply => {
                command = self.command(&self.programs.kapply);
                command.arg("apply").arg("-f").arg(&set.manifests);
                command.args(["-n", namespace]);
            }
            Tool::Kubectl => {
                command = self.command(&self.programs.kubectl);
                command.args(["apply", "--server-side", "-f"]);
                command.arg(&set.manifests).args(["-n", namespace]);
            }
            Tool::Helm => {
                command = self.command(&self.programs.helm);
                command.args([if is_there { "upgrade" } else { "install" }, "bench"]);
                command.arg(&set.chart).args(["-n", namespace]);
            }
            Tool::Bare => {
                command = self.command(&self.programs.bare);
                command.arg(&set.manifests).arg(namespace);
            }
        }
        command
    }

    fn diff(&self, tool: Tool, namespace: &str) -> Option<Command> {
        let (program, flags): (_, &[&str]) = match tool {
            Tool::Kapply => (&self.programs.kapply, &["diff"]),
            Tool::Kubectl => (&self.programs.kubectl, &["diff", "--server-side"]),
            Tool::Helm | Tool::Bare => return None,
        };
        let mut command = self.command(program);
        command.args(flags).args(["-n", namespace, "-f"]);
        command.arg(&self.inputs.changed);
        Some(command)
    }

    /// How many requests the unchanged stack costs, from the tool's own log.
    fn requests(&self, tool: Tool, namespace: &str) -> anyhow::Result<Option<usize>> {
        let mut command = self.apply(tool, &self.inputs.stack, namespace, true);
        let (flag, word) = match tool {
            Tool::Kapply => ("-v", "request method="),
            Tool::Kubectl => ("-v=6", "\"Response\""),
            Tool::Helm | Tool::Bare => return Ok(None),
        };
        let taken = self.run(command.arg(flag), 0)?;
        let lines = taken.said.lines().filter(|line| line.contains(word));
        Ok(Some(lines.count()))
    }

    fn run(&self, command: &Command, expected: i32) -> anyhow::Result<Taken> {
        let taken = measure::run(self.runner, &self.programs.xtask, self.folder, command)?;
        taken.ended_with(expected, command)?;
        Ok(taken)
    }

    fn namespace(&self, name: &str) -> anyhow::Result<String> {
        let mut create = self.command(&self.programs.kubectl);
        self.runner
            .output(create.args(["create", "namespace", name]))
            .with_context(|| format!("making the namespace {name}"))?;
        Ok(name.to_owned())
    }

    /// A program with a home and caches of this run's own.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("KUBECONFIG", self.kubeconfig)
            .env("HOME", self.folder);
        for variable in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env_remove(variable);
        }
        command
    }
}
