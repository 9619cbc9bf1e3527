# Every replica answers its share of the requests, wherever they are sent from.
{
  imports = [ ./lib/cluster.nix ];
  name = "balance";
  script = ''
    up(NODES)
    deploy()
    drill("balance", "--requests=900")

    with subtest("an agent reaches every replica through the Service"):
        address = server.succeed(
            f"kubectl get service {SERVICE} --namespace={NAMESPACE} -o jsonpath='{{.spec.clusterIP}}'"
        )
        answers = agent1.succeed(
            f"for i in $(seq 60); do curl --silent --show-error --fail --max-time 5 http://{address}:8000/; done"
        )
        names = {line.split()[-1] for line in answers.splitlines() if line}
        assert names == {pod.split("/")[1] for pod in ready_pods()}, names
  '';
}
