//! From 127.0.0.1 of the machine to the API server inside the cluster.
//!
//! A socket stays in the network namespace it was made in. So one process can
//! listen in the machine's namespace and connect in the switch's, and no
//! packet filter, route or address of the machine is needed.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// Passes every connection on to `target`, for ever.
pub async fn forward(listener: TcpListener, target: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(pass(client, target));
            }
            Err(error) => {
                // Out of file descriptors, mostly: some will be closed soon.
                eprintln!("switch: cannot accept a connection: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr) {
    // Closing the client's connection is the answer when the server is not there.
    let Ok(Ok(mut server)) = timeout(Duration::from_secs(5), TcpStream::connect(target)).await
    else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
