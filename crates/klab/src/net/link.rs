//! Links, addresses and routes of the network namespace that the calling
//! thread is in, through netlink.

use std::{
    fs::File,
    net::Ipv4Addr,
    os::fd::{AsRawFd, BorrowedFd},
    path::Path,
};

use futures::TryStreamExt;
use rtnetlink::{
    Handle, LinkBridge, LinkUnspec, LinkVeth, RouteMessageBuilder, new_connection,
    packet_route::link::{LinkFlags, LinkMessage},
};

use crate::error::{Context, Error, Result};

/// A conversation with the kernel about one network namespace.
pub struct Links {
    handle: Handle,
}

impl Links {
    /// Opens it for the namespace that this thread is in now. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the socket cannot be opened.
    pub fn open() -> Result<Self> {
        let (connection, handle, _) = new_connection().system("cannot open a netlink socket")?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    async fn find(&self, name: &str) -> Result<Option<LinkMessage>> {
        let mut found = std::pin::pin!(self.handle.link().get().match_name(name).execute());
        match found.try_next().await {
            Ok(link) => Ok(link),
            // ENODEV is how the kernel says "no such link".
            Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -19 => Ok(None),
            Err(error) => Err(network(format!("looking for link {name}"), error)),
        }
    }

    async fn index(&self, name: &str) -> Result<u32> {
        let link = self.find(name).await?;
        link.map(|link| link.header.index)
            .ok_or_else(|| Error::State(format!("there is no link {name}")))
    }

    async fn change(
        &self,
        name: &str,
        what: &str,
        change: impl FnOnce(
            rtnetlink::LinkMessageBuilder<LinkUnspec>,
        ) -> rtnetlink::LinkMessageBuilder<LinkUnspec>,
    ) -> Result<()> {
        let index = self.index(name).await?;
        let message = change(LinkUnspec::new_with_index(index)).build();
        let done = self.handle.link().set(message).execute().await;
        done.map_err(|error| network(format!("{what} {name}"), error))
    }

    /// Makes a bridge.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn add_bridge(&self, name: &str) -> Result<()> {
        let done = self
            .handle
            .link()
            .add(LinkBridge::new(name).build())
            .execute()
            .await;
        done.map_err(|error| network(format!("making bridge {name}"), error))
    }

    /// Makes a cable with these two ends, both in this namespace for now.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn add_cable(&self, name: &str, peer: &str) -> Result<()> {
        let done = self
            .handle
            .link()
            .add(LinkVeth::new(name, peer).build())
            .execute()
            .await;
        done.map_err(|error| network(format!("making cable {name}–{peer}"), error))
    }

    /// Removes a link, if there is one of that name.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let Some(link) = self.find(name).await? else {
            return Ok(());
        };
        let done = self.handle.link().del(link.header.index).execute().await;
        done.map_err(|error| network(format!("removing link {name}"), error))
    }

    /// Gives a link away to another network namespace.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn give_to(&self, name: &str, namespace: BorrowedFd<'_>) -> Result<()> {
        self.change(name, "moving link", |link| {
            link.setns_by_fd(namespace.as_raw_fd())
        })
        .await
    }

    /// Plugs a link into a bridge.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn plug_into(&self, name: &str, bridge: &str) -> Result<()> {
        let bridge = self.index(bridge).await?;
        self.change(name, "plugging in", |link| link.controller(bridge))
            .await
    }

    /// Gives a link its hardware address.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_mac(&self, name: &str, mac: [u8; 6]) -> Result<()> {
        self.change(name, "addressing", |link| link.address(mac.to_vec()))
            .await
    }

    /// Turns a link on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn up(&self, name: &str) -> Result<()> {
        self.change(name, "turning on", rtnetlink::LinkMessageBuilder::up)
            .await
    }

    /// Turns a link off: from now on no packet passes.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn down(&self, name: &str) -> Result<()> {
        self.change(name, "turning off", rtnetlink::LinkMessageBuilder::down)
            .await
    }

    /// Whether there is such a link and it is turned on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn is_up(&self, name: &str) -> Result<bool> {
        let link = self.find(name).await?;
        Ok(link.is_some_and(|link| link.header.flags.contains(LinkFlags::Up)))
    }

    /// Gives a link an IPv4 address.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn add_address(&self, name: &str, address: Ipv4Addr, prefix: u8) -> Result<()> {
        let index = self.index(name).await?;
        let done = self
            .handle
            .address()
            .add(index, address.into(), prefix)
            .execute()
            .await;
        done.map_err(|error| {
            network(
                format!("giving {name} the address {address}/{prefix}"),
                error,
            )
        })
    }

    /// Sends packets for a network to a gateway, whatever the route was before.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_route(&self, net: (Ipv4Addr, u8), gateway: Ipv4Addr) -> Result<()> {
        let (address, prefix) = net;
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(address, prefix)
            .gateway(gateway)
            .build();
        let done = self.handle.route().add(route).replace().execute().await;
        done.map_err(|error| network(format!("routing {address}/{prefix} to {gateway}"), error))
    }
}

/// The network namespace of a process.
///
/// # Errors
/// When the process is gone.
pub fn namespace_of(pid: i32) -> Result<File> {
    let path = format!("/proc/{pid}/ns/net");
    File::open(&path).file("cannot open", Path::new(&path))
}

fn network(action: String, source: rtnetlink::Error) -> Error {
    Error::Network { action, source }
}
