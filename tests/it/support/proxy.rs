//! A network between the daemon and PostgreSQL that lies: it understands the frames of the protocol, and drops, delays,
//! cuts and closes at chosen places.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::postgres::{Cluster, Database};

/// Where in the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first message of a connection.
    Startup,
    /// Any message of the daemon's that is none of the others.
    Query,
    /// A piece of COPY's data.
    Copy,
    /// `COMMIT`, before the server has it.
    Commit,
    /// The server's answer to `COMMIT`, before the daemon has it.
    Committed,
    /// Any other answer.
    Answer,
}

impl Place {
    pub(crate) const ALL: [Place; 6] =
        [Place::Startup, Place::Query, Place::Copy, Place::Commit, Place::Committed, Place::Answer];
}

/// What happens there. The message itself does not arrive, but in [`Fault::Late`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Both ends see the connection reset (as far as a unix socket can).
    Reset,
    /// Half of the message arrives; then the same.
    Half,
    /// The daemon sees the end of the stream; what it goes on to say still arrives.
    ClosedToDaemon,
    /// The server sees the end of the stream; what it goes on to say still arrives.
    ClosedToServer,
    /// It arrives after so many milliseconds.
    Late(u64),
    /// From there on nothing arrives any more, either way, and nobody is told.
    Silence,
    /// Half of the message arrives, and then the same.
    HalfAndSilence,
}

impl Fault {
    /// Those that the ends are told of.
    pub(crate) const TOLD: [Fault; 5] =
        [Fault::Reset, Fault::Half, Fault::ClosedToDaemon, Fault::ClosedToServer, Fault::Late(150)];
}

/// What is to go wrong.
#[derive(Default)]
struct Plan {
    server: PathBuf,
    /// The next time that a connection comes there, after so many times that it passes.
    next: Option<(Place, Fault, usize)>,
    /// With so many of a thousand messages, at random.
    of_thousand: u64,
    random: u64,
    met: Vec<(Place, Fault)>,
    given_up: usize,
}

impl Plan {
    fn draw(&mut self, below: u64) -> u64 {
        // SplitMix64
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.random;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (n ^ (n >> 31)) % below
    }

    fn fault(&mut self, place: Place) -> Option<Fault> {
        let planned = match &mut self.next {
            Some((at, fault, 0)) if *at == place => Some(*fault),
            Some((at, _, passes)) if *at == place => {
                *passes -= 1;
                None
            }
            _ => None,
        };
        if planned.is_some() {
            self.next = None;
        }
        let mut at_random = || {
            // There is one COMMIT to a dozen other messages.
            let weight = if matches!(place, Place::Commit | Place::Committed) { 5 } else { 1 };
            let hit = self.draw(1000) < self.of_thousand * weight;
            let which = self.draw(Fault::TOLD.len() as u64);
            hit.then(|| Fault::TOLD[usize::try_from(which).unwrap()])
        };
        let fault = planned.or_else(&mut at_random)?;
        self.met.push((place, fault));
        Some(fault)
    }
}

/// The proxy. It ends with this, and its connections with it.
pub(crate) struct Proxy {
    port: u16,
    plan: Arc<Mutex<Plan>>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// Stands before a cluster.
    pub(crate) fn before(cluster: &Cluster) -> Proxy {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan: Arc<Mutex<Plan>> = Arc::default();
        let proxy = Proxy { port, plan: Arc::clone(&plan), _runtime: runtime };
        proxy.lead_to(cluster);
        proxy._runtime.spawn(async move {
            loop {
                let (daemon, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(daemon, Arc::clone(&plan)));
            }
        });
        proxy
    }

    /// The URL of a database behind it.
    pub(crate) fn url(&self, database: &Database) -> String {
        format!("postgres://alt@127.0.0.1:{}/{}", self.port, database.name)
    }

    /// New connections are led to this cluster.
    pub(crate) fn lead_to(&self, cluster: &Cluster) {
        lock(&self.plan).server = cluster.dir().join(".s.PGSQL.5432");
    }

    /// The next time that a connection comes to `place`, that happens.
    pub(crate) fn next(&self, place: Place, fault: Fault) {
        self.after(0, place, fault);
    }

    /// The same, once a connection was there so many times.
    pub(crate) fn after(&self, passes: usize, place: Place, fault: Fault) {
        lock(&self.plan).next = Some((place, fault, passes));
    }

    /// Silent connections that the daemon has closed.
    pub(crate) fn given_up(&self) -> usize {
        lock(&self.plan).given_up
    }

    /// With so many of a thousand messages something goes wrong.
    pub(crate) fn at_random(&self, of_thousand: u64, seed: u64) {
        let plan = &mut *lock(&self.plan);
        (plan.of_thousand, plan.random) = (of_thousand, seed);
    }

    /// What went wrong so far.
    pub(crate) fn met(&self) -> Vec<(Place, Fault)> {
        lock(&self.plan).met.clone()
    }
}

fn lock(plan: &Mutex<Plan>) -> MutexGuard<'_, Plan> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a connection goes on.
#[derive(PartialEq, Eq)]
enum Goes {
    On,
    Away,
    Silent,
}

/// Bytes of one direction that were not passed on yet.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// The next message has no type.
    is_first: bool,
    /// There will be no more.
    ended: bool,
}

impl Stream {
    async fn read(&mut self, from: &mut (impl AsyncRead + Unpin)) {
        match from.read_buf(&mut self.bytes).await {
            Ok(bytes) if bytes > 0 => {}
            _ => self.ended = true,
        }
    }

    /// The next whole message.
    fn message(&mut self) -> Option<Vec<u8>> {
        let at = usize::from(!self.is_first);
        let length = self.bytes.get(at..at + 4)?;
        let end = at + usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        if self.bytes.len() < end {
            return None;
        }
        self.is_first = false;
        Some(self.bytes.drain(..end).collect())
    }
}

async fn connection(mut daemon: TcpStream, plan: Arc<Mutex<Plan>>) {
    let path = lock(&plan).server.clone();
    let Ok(mut server) = UnixStream::connect(path).await else { return };
    // Message by message: each would wait for the one before to be acknowledged.
    daemon.set_nodelay(true).unwrap();
    let mut up = Stream { is_first: true, ..Stream::default() };
    let mut down = Stream::default();
    let mut was_commit = false;
    let mut goes = Goes::On;
    while goes == Goes::On && !(up.ended || down.ended) {
        tokio::select! {
            () = up.read(&mut daemon) => {}
            () = down.read(&mut server) => {}
        }
        while goes == Goes::On {
            let is_first = up.is_first;
            let Some(message) = up.message() else { break };
            let place = match message.as_slice() {
                _ if is_first => Place::Startup,
                [b'Q', _, _, _, _, b'C', b'O', b'M', b'M', b'I', b'T', 0] => Place::Commit,
                [b'd', ..] => Place::Copy,
                _ => Place::Query,
            };
            was_commit = place == Place::Commit;
            let fault = lock(&plan).fault(place);
            goes = pass(&message, fault, &mut server, &mut daemon, false).await;
        }
        while goes == Goes::On
            && let Some(message) = down.message()
        {
            let place = if was_commit && message[0] == b'C' { Place::Committed } else { Place::Answer };
            let fault = lock(&plan).fault(place);
            goes = pass(&message, fault, &mut daemon, &mut server, true).await;
        }
    }
    match goes {
        // The server goes on to believe that somebody is there.
        Goes::Silent => {
            let mut rest = [0; 4096];
            while daemon.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
            lock(&plan).given_up += 1;
            std::future::pending::<()>().await;
        }
        Goes::Away => {
            let _ = daemon.set_zero_linger();
        }
        // What is on its way arrives yet.
        Goes::On => {
            let _ = server.shutdown().await;
            let _ = daemon.shutdown().await;
        }
    }
}

trait End: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> End for T {}

/// Passes a message on to `to`, or does with it what goes wrong.
async fn pass<'a>(
    message: &[u8],
    fault: Option<Fault>,
    to: &'a mut dyn End,
    from: &'a mut dyn End,
    is_answer: bool,
) -> Goes {
    let half = &message[..message.len() / 2];
    let sent = match fault {
        None => to.write_all(message).await,
        Some(Fault::Late(milliseconds)) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            to.write_all(message).await
        }
        Some(Fault::Reset) => return Goes::Away,
        Some(Fault::Half) => {
            let _ = to.write_all(half).await;
            return Goes::Away;
        }
        Some(Fault::Silence) => return Goes::Silent,
        Some(Fault::HalfAndSilence) => {
            let _ = to.write_all(half).await;
            return Goes::Silent;
        }
        Some(closed @ (Fault::ClosedToDaemon | Fault::ClosedToServer)) => {
            // One way is closed; the other stays open as long as something comes.
            let (closed, open) =
                if (closed == Fault::ClosedToDaemon) == is_answer { (to, from) } else { (from, to) };
            let _ = closed.shutdown().await;
            let mut rest = Vec::new();
            let _ = closed.read_to_end(&mut rest).await;
            let _ = open.write_all(&rest).await;
            let _ = open.shutdown().await;
            let _ = open.read_to_end(&mut rest).await;
            return Goes::On;
        }
    };
    if sent.is_ok() { Goes::On } else { Goes::Away }
}
