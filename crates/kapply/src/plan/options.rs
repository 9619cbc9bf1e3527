//! How to plan: what is asked of the server, and what may be done to others.

/// What is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Everything that is not proved: what `plan` and `diff` show is what the server says.
    Unproved,
    /// Updates that are not proved; creates are sent straight, once their schema allows them.
    Updates,
    /// Everything, proved or not: also notices admission policies that are new.
    Everything,
}

/// From whom fields may be taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Force {
    /// Nobody: conflicts block.
    #[default]
    Never,
    /// Anybody.
    All,
    /// These managers, and only if every conflict of the object is with them.
    With(Vec<String>),
}

impl Force {
    /// Whether these managers may lose fields.
    pub(crate) fn covers<'manager>(
        &self,
        mut managers: impl Iterator<Item = &'manager str>,
    ) -> bool {
        match self {
            Self::Never => false,
            Self::All => true,
            Self::With(named) => managers.all(|manager| named.iter().any(|name| name == manager)),
        }
    }
}

/// How to plan.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Name under which the API server keeps the applied fields.
    pub field_manager: String,
    /// What is asked of the server.
    pub check: Check,
    /// From whom fields may be taken.
    pub force: Force,
    /// Objects that may be deleted and created anew, as `KIND[.GROUP]/NAME` in lower case.
    pub recreate: Vec<String>,
    /// How many requests may be under way at once, at least 1.
    pub concurrency: usize,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            field_manager: "kapply".to_owned(),
            check: Check::Unproved,
            force: Force::Never,
            recreate: Vec::new(),
            concurrency: 32,
        }
    }
}
