# shellcheck shell=bash
usage() {
  case $COMMAND in
  deploy) deploy_usage ;;
  diff) diff_usage ;;
  plan) plan_usage ;;
  publish) publish_usage ;;
  destroy) destroy_usage ;;
  drill) drill_usage ;;
  esac
}

parse "$@"
[ "$COMMAND" = publish ] || take_namespace
case $COMMAND in
deploy) run_deploy ;;
diff) run_diff ;;
plan) run_plan ;;
publish) run_publish ;;
destroy) run_destroy ;;
drill) run_drill ;;
esac
