//! Keeps Services' addresses and this machine's listeners as they should be.

use std::collections::BTreeMap;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use serde_json::json;

use super::{
    LoopbackNet, Published, addresses,
    listen::{Door, Listeners},
    published,
};
use crate::{api::FIELD_MANAGER, state::Folder};

/// Never returns.
pub(super) async fn serve(folder: &Folder, client: &Client, door: Door) {
    let net = LoopbackNet::of(&folder.path());
    let mut listeners = Listeners::new(door);
    let mut services = BTreeMap::new();
    let mut complete = false;
    let watched = watcher::watcher(
        Api::<Service>::all(client.clone()),
        watcher::Config::default(),
    );
    let mut events = watched.default_backoff().boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => {
                services.clear();
                complete = false;
            }
            Ok(Event::InitApply(service) | Event::Apply(service)) => {
                services.insert(addresses::name(&service), service);
            }
            Ok(Event::Delete(service)) => {
                services.remove(&addresses::name(&service));
            }
            Ok(Event::InitDone) => complete = true,
            // Told by the watcher's next try, which it makes by itself.
            Err(_) => continue,
        }
        if complete {
            // A change of ours comes back as an event, with the address in it.
            for (name, address) in addresses::changes(net, &services) {
                write_address(client, &services[&name], address).await;
            }
            let wanted: Vec<Published> = services
                .values()
                .flat_map(|service| published(net, service))
                .collect();
            let folder = folder.clone();
            let nodes = move || {
                let spec = folder.spec();
                let nodes = spec.map(|spec| spec.nodes).unwrap_or_default();
                nodes.iter().map(crate::spec::NodeSpec::ip).collect()
            };
            listeners.become_these(&wanted, nodes).await;
        }
    }
}

async fn write_address(client: &Client, service: &Service, address: Option<std::net::Ipv4Addr>) {
    // Proxy: the address is nothing that kube-proxy should know of.
    let ingress: Vec<_> = address
        .iter()
        .map(|address| json!({ "ip": address, "ipMode": "Proxy" }))
        .collect();
    let patch = json!({ "status": { "loadBalancer": { "ingress": ingress } } });
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let patched = services
        .patch_status(name, &params, &Patch::Merge(patch))
        .await;
    if let Err(error) = patched {
        eprintln!("cloud: cannot give {namespace}/{name} its address: {error}");
    }
}
