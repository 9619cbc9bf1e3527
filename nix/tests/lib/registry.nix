# A registry on the server, without TLS, and a cluster of this one node that pulls from it.
{
  cluster = {
    agents = 0;
    images = [ ];
  };
  nodes.server = {
    services.dockerRegistry.enable = true;
    services.k3s-registries.registries."localhost:5000".endpoints = [ "http://localhost:5000" ];
  };
}
