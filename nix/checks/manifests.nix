# The manifests are what a real API server takes, unknown fields and all: it runs in the sandbox.
{
  runCommand,

  etcd,
  kubernetes,
  openssl,

  kapply,
  manifests,
}:
runCommand "manifests-check"
  {
    nativeBuildInputs = [
      etcd
      kapply
      kubernetes
      openssl
    ];
  }
  ''
    echo in-the-sandbox,admin,admin,system:masters > tokens.csv
    openssl genrsa -out accounts.key 2048
    etcd --data-dir etcd --unsafe-no-fsync > etcd.log 2>&1 &
    kube-apiserver --etcd-servers http://127.0.0.1:2379 --cert-dir certs --secure-port 6443 \
      --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --token-auth-file tokens.csv \
      --service-account-issuer https://kubernetes --service-cluster-ip-range 10.96.0.0/16 \
      --service-account-signing-key-file accounts.key --service-account-key-file accounts.key \
      > apiserver.log 2>&1 &

    cat > kubeconfig <<END
    apiVersion: v1
    kind: Config
    current-context: sandbox
    contexts: [{name: sandbox, context: {cluster: sandbox, user: sandbox}}]
    users: [{name: sandbox, user: {token: in-the-sandbox}}]
    clusters: [{name: sandbox, cluster: {server: "https://127.0.0.1:6443", certificate-authority: certs/apiserver.crt}}]
    END
    export KUBECONFIG=$PWD/kubeconfig

    for attempt in $(seq 60); do
      if kapply apply -n default -f ${manifests} --dry-run > said 2>&1; then
        cp said $out
        exit 0
      fi
      sleep 1
    done
    cat said
    tail -n 20 apiserver.log
    exit 1
  ''
