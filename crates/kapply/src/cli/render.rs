//! `kapply render`

use super::{Rendering, exit::Exit, input::Input, output};
use crate::{
    apply::send_order,
    connect::ConnectOptions,
    error::Error,
    object::Object,
    problem::{Problem, Problems},
    report::{json, yaml},
    resolve::{Namespacing, set_namespaces_offline},
};

/// Flags of `kapply render`.
#[derive(Debug, clap::Args)]
pub(super) struct RenderCommand {
    #[command(flatten)]
    input: Input,
    /// How to print the objects
    #[arg(short, long, value_enum, default_value_t)]
    output: Rendering,
    /// Print numbers in the place of hidden values
    #[arg(long)]
    masked: bool,
}

impl RenderCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let mut objects = self.objects(connect).await?;
        objects.sort_by_key(send_order);
        if self.masked || self.input.masks_more() {
            let mask = self.input.mask();
            for object in &mut objects {
                object.value = mask.object(&object.value);
            }
        }
        match self.output {
            Rendering::Yaml => {
                output::text(&yaml::documents(objects.iter().map(|object| &object.value)));
            }
            Rendering::Json => output::answer(&format!("{:#}", json::list(&objects))),
        }
        Ok(Exit::Done)
    }

    /// Without -n, objects that name no namespace stay as they are. With it, a
    /// cluster is asked only about kinds that are neither built in nor defined
    /// by the input.
    async fn objects(&self, connect: &ConnectOptions) -> Result<Vec<Object>, Error> {
        let Some(namespace) = &connect.namespace else {
            if self.input.enforce_namespace {
                return Err(Problems::from(Problem::general(
                    "--enforce-namespace needs -n NAMESPACE here",
                ))
                .into());
            }
            return Ok(self.input.objects("").await?);
        };
        let mut objects = self.input.objects(namespace).await?;
        let namespacing = Namespacing {
            default: namespace.clone(),
            enforce: self.input.enforce_namespace,
        };
        if set_namespaces_offline(&mut objects, &namespacing)? {
            return Ok(objects);
        }
        let (_, targets) = self.input.targets(connect).await?;
        Ok(targets.into_iter().map(|target| target.object).collect())
    }
}
