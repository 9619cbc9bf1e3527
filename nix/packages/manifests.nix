# The stack's objects as they are sent: read and judged by kapply, the image pinned to the one that
# is built here.
{
  runCommand,
  kapply,
  image,
}:
runCommand "manifests" { nativeBuildInputs = [ kapply ]; } ''
  mkdir $out
  kapply render -f ${../../manifests} --image hostname-server=${image.imageRef} > $out/manifests.yaml
''
