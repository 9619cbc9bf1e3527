//! An object is deleted, exactly the one that was looked at, and waited for
//! until it is gone, so that a new one can take its name.

use std::time::Duration;

use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Preconditions, PropagationPolicy},
    runtime::wait::{await_condition, conditions::is_deleted},
};

use crate::{
    connect::{Cluster, innermost},
    interrupt::Interrupt,
    plan::Step,
    resolve::Target,
};

/// What is not gone after this time is held by a finalizer or a slow pod.
const GONE_TIMEOUT: Duration = Duration::from_mins(2);

/// Deletes the object of a step, with all it owns.
pub(super) async fn delete(
    cluster: &Cluster,
    target: &Target,
    step: &Step,
    interrupt: &Interrupt,
) -> Result<(), String> {
    let Some(live) = &step.live else {
        return Ok(());
    };
    let name = target.object.name();
    let api: Api<DynamicObject> = match &target.namespace {
        Some(namespace) => {
            Api::namespaced_with(cluster.client.clone(), namespace, &target.resource)
        }
        None => Api::all_with(cluster.client.clone(), &target.resource),
    };
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        preconditions: Some(Preconditions {
            uid: Some(live.uid().to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api.delete(name, &params).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(kube::Error::Api(status)) => {
            return Err(cluster.mask.message(
                &target.object,
                Some(live),
                &format!(
                    "it could not be deleted to be created anew: {}",
                    status.message
                ),
            ));
        }
        Err(error) => return Err(innermost(&error)),
    }
    let gone = await_condition(api, name, is_deleted(live.uid()));
    tokio::select! {
        result = tokio::time::timeout(GONE_TIMEOUT, gone) => match result {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("it was deleted, but could not be watched: {error}; run again")),
            Err(_) => Err(format!(
                "it was deleted to be created anew, but is still there after {} s (see its finalizers); run again when it is gone",
                GONE_TIMEOUT.as_secs()
            )),
        },
        () = interrupt.asked() => Err("it was deleted, but not created anew, because of the interrupt; run again".to_owned()),
    }
}
