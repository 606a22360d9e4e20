//! Where connections come from: TCP, unix sockets, and what systemd hands over.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use super::Door;
use super::client::Peer;
use crate::config::Address;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// As people are told.
    pub name: String,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(
        UnixListener,
        #[allow(dead_code, reason = "it is dropped with the socket")] Option<OwnName>,
    ),
}

/// The name of a socket that we made, which goes when we do.
#[derive(Debug)]
struct OwnName(PathBuf);

impl Drop for OwnName {
    fn drop(&mut self) {
        // it is stale now, and the next start would take it away too
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // answers are written as a whole: nothing is won by waiting
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Peer(Some(peer.ip()))))
            }
            Socket::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer(None)))
            }
        }
    }

    /// The TCP port, if it has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Socket::Unix(..) => None,
        }
    }

    /// Where a browser on this machine finds it, if one can.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        let Socket::Tcp(listener) = &self.socket else {
            return None;
        };
        let address = listener.local_addr().ok()?;
        let port = address.port();
        if address.ip().is_unspecified() || address.ip().is_loopback() && address.is_ipv4() {
            return Some(format!("http://localhost:{port}/"));
        }
        Some(format!("http://{address}/"))
    }
}

/// Listens. `all` are the addresses that the server listens on: `[::]` is for IPv4, too, unless one of them is an IPv4 address
/// with that port.
///
/// # Errors
/// If the address is taken, forbidden or none.
pub fn bind(address: &Address, door: Door, all: &[Address]) -> Result<Vec<Listener>> {
    match address {
        Address::Tcp(text) => {
            let found = text
                .to_socket_addrs()
                .with_context(|| format!("`{text}` cannot be resolved"))?;
            found
                .map(|address| {
                    let failed = || format!("cannot listen on `{address}`; is it taken? choose another with `--listen`");
                    let socket = if address.is_ipv4() {
                        TcpSocket::new_v4()
                    } else {
                        TcpSocket::new_v6()
                    };
                    let socket = socket.with_context(failed)?;
                    if address.is_ipv6() && has_ipv4(all, address.port()) {
                        rustix::net::sockopt::set_ipv6_v6only(&socket, true).with_context(failed)?;
                    }
                    // a restart need not wait for the last connections of the one before
                    socket.set_reuseaddr(true).with_context(failed)?;
                    socket.bind(address).with_context(failed)?;
                    let listener = socket.listen(BACKLOG).with_context(failed)?;
                    let name = listener.local_addr().map_or_else(|_| text.clone(), |address| address.to_string());
                    Ok(Listener {
                        socket: Socket::Tcp(listener),
                        name,
                    })
                })
                .collect()
        }
        Address::Unix(path) => Ok(vec![bind_unix(path, door)?]),
    }
}

/// Whether one of the addresses is an IPv4 address with this port.
fn has_ipv4(all: &[Address], port: u16) -> bool {
    let texts = all.iter().filter_map(|address| match address {
        Address::Tcp(text) => Some(text),
        Address::Unix(_) => None,
    });
    // a name has all its addresses bound, and `[::]` for IPv6 alone does not stand in their way
    let mut addresses = texts.filter_map(|text| text.parse::<SocketAddr>().ok());
    addresses.any(|other| other.is_ipv4() && other.port() == port && port != 0)
}

fn bind_unix(path: &Path, door: Door) -> Result<Listener> {
    let failed = || format!("cannot listen on `{}`", path.display());
    if let Ok(meta) = std::fs::symlink_metadata(path) {
        if !meta.file_type().is_socket() {
            bail!(
                "`{}` is in the way: it is no socket; take it away",
                path.display()
            );
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            bail!(
                "somebody listens on `{}` already; stop it first",
                path.display()
            );
        }
        // of a run that died
        std::fs::remove_file(path).with_context(failed)?;
    }
    let listener = UnixListener::bind(path).with_context(failed)?;
    // what is served is public, so any proxy may connect; orders are for the user alone
    let mode = match door {
        Door::Public => 0o666,
        Door::Admin => 0o600,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).with_context(failed)?;
    Ok(Listener {
        socket: Socket::Unix(listener, Some(OwnName(path.to_owned()))),
        name: format!("unix:{}", path.display()),
    })
}

/// The sockets that systemd hands over (`sd_listen_fds(3)`).
///
/// # Errors
/// If there are none, or one is no stream socket.
pub fn inherited() -> Result<Vec<Listener>> {
    let mut handed = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..handed.len() {
        if let Ok(Some(listener)) = handed.take_tcp_listener(index) {
            listener.set_nonblocking(true)?;
            let name = listener.local_addr()?.to_string();
            listeners.push(Listener {
                socket: Socket::Tcp(TcpListener::from_std(listener)?),
                name,
            });
            continue;
        }
        let listener = handed.take_unix_listener(index).with_context(|| {
            format!("socket {index} that systemd handed over is of no known kind")
        })?;
        if let Some(listener) = listener {
            listener.set_nonblocking(true)?;
            listeners.push(Listener {
                socket: Socket::Unix(UnixListener::from_std(listener)?, None),
                name: format!("systemd's socket {index}"),
            });
        }
    }
    if listeners.is_empty() {
        bail!(
            "`listen` is empty, and systemd handed no socket over; start it by its `.socket` unit, or set `listen`"
        );
    }
    Ok(listeners)
}
