//! A line that knows nothing of what goes over it: it is cut, closed or slow after so many bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Both ends see it reset.
    Reset,
    /// The server sees the end of the stream; what it says still arrives.
    ClosedToServer,
    /// The client sees the end of the stream; what it says still arrives.
    ClosedToClient,
    /// It stands still for so many milliseconds.
    Late(u64),
    /// Nothing arrives any more, and nobody is told.
    Silence,
}

impl Cut {
    pub(crate) const ALL: [Cut; 5] =
        [Cut::Reset, Cut::ClosedToServer, Cut::ClosedToClient, Cut::Late(300), Cut::Silence];
}

/// Whose bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Client,
    Server,
}

/// After so many bytes of whose, that happens; and how often it has happened.
type Plan = Arc<Mutex<(Option<(Whose, u64, Cut)>, usize)>>;

/// The line. It ends with this, and its connections with it.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    plan: Plan,
    _runtime: tokio::runtime::Runtime,
}

impl Wire {
    /// Leads to a server.
    pub(crate) fn to(server: SocketAddr) -> Wire {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Plan::default();
        let wire = Wire { address, plan: Arc::clone(&plan), _runtime: runtime };
        wire._runtime.spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(client, server, Arc::clone(&plan)));
            }
        });
        wire
    }

    /// The first connection that has carried more than so many bytes of whose is cut like that.
    pub(crate) fn next(&self, whose: Whose, bytes: u64, cut: Cut) {
        self.plan.lock().unwrap().0 = Some((whose, bytes, cut));
    }

    /// How often something was cut.
    pub(crate) fn cuts(&self) -> usize {
        self.plan.lock().unwrap().1
    }
}

/// What is to be done with `bytes` more of whose, of which there were `before`: how many pass, and what happens then.
fn met(plan: &Plan, whose: Whose, before: u64, bytes: usize) -> (usize, Option<Cut>) {
    let plan = &mut *plan.lock().unwrap();
    match plan.0 {
        Some((of, after, cut)) if of == whose && before + bytes as u64 > after => {
            plan.0 = None;
            plan.1 += 1;
            (usize::try_from(after.saturating_sub(before)).unwrap(), Some(cut))
        }
        _ => (bytes, None),
    }
}

async fn connection(mut client: TcpStream, server: SocketAddr, plan: Plan) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut up, mut down) = (vec![0; 1 << 14], vec![0; 1 << 14]);
    let mut carried = (0, 0);
    loop {
        let (whose, read) = tokio::select! {
            read = client.read(&mut up) => (Whose::Client, read),
            read = server.read(&mut down) => (Whose::Server, read),
        };
        let bytes = read.unwrap_or_default();
        let (chunk, before, to) = match whose {
            Whose::Client => (&up[..bytes], &mut carried.0, &mut server),
            Whose::Server => (&down[..bytes], &mut carried.1, &mut client),
        };
        if bytes == 0 {
            // What is on its way arrives yet.
            let _ = to.shutdown().await;
            return;
        }
        let (pass, cut) = met(&plan, whose, *before, bytes);
        *before += bytes as u64;
        if to.write_all(&chunk[..pass]).await.is_err() {
            return;
        }
        match cut {
            None => {}
            Some(Cut::Late(milliseconds)) => {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                if to.write_all(&chunk[pass..]).await.is_err() {
                    return;
                }
            }
            Some(Cut::Reset) => {
                let _ = client.set_zero_linger();
                let _ = server.set_zero_linger();
                return;
            }
            Some(Cut::Silence) => {
                std::future::pending::<()>().await;
            }
            Some(cut) => {
                // One way is closed; the other stays open as long as something comes.
                let (closed, open) = match cut {
                    Cut::ClosedToServer => (&mut server, &mut client),
                    _ => (&mut client, &mut server),
                };
                let _ = closed.shutdown().await;
                let _ = tokio::io::copy(closed, open).await;
                return;
            }
        }
    }
}
