# A cluster to try and test on: our own node (no Docker needed), or kind. Included by the top Makefile.
NODE := python3 tests/node

.PHONY: node-build node-up node-down images deploy kind kind-down

node-build: ## build every program of the test node (once; about 20 minutes on two cores)
	$(NODE) build

node-up: ## start a real single-node Kubernetes from host processes; eval "$$(make -s node-up)" sets KUBECONFIG
	@$(NODE) up

node-down: ## stop that node and leave nothing behind
	$(NODE) down

images: ## build our images and load them into the node, where something changed
	$(NODE) images

deploy: ## install or upgrade the chart on the cluster that KUBECONFIG names
	helm upgrade --install mlworkflow charts/mlworkflow --namespace mlworkflow-system --create-namespace --wait --timeout 5m $(HELM_ARGS)

kind: ## create a kind cluster, install everything, run the example (needs docker, kind, helm, kubectl)
	python3 tests/kind up

kind-down: ## delete that kind cluster
	python3 tests/kind down
