//! Greets whoever connects to port 8080.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

fn main() -> std::io::Result<()> {
    for connection in TcpListener::bind("0.0.0.0:8080")?.incoming() {
        let connection = connection?;
        thread::spawn(move || greet(connection));
    }
    Ok(())
}

fn greet(mut connection: TcpStream) -> std::io::Result<()> {
    // The request's head, up to the empty line.
    for line in BufReader::new(&connection).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let text = "Hello!\n";
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
