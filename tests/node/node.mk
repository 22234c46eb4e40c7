# A cluster to try and test on: our own node (no Docker needed), or kind. Included by the top Makefile.
NODE := python3 tests/node

.PHONY: node-build node-up node-down images deploy kind kind-down

node-build: ## Build every program of the test node (once; about 20 minutes on two cores)
	$(NODE) build

node-up: ## Start a real single-node Kubernetes from host processes; prints the line that sets KUBECONFIG
	@$(NODE) up

node-down: ## Stop that node and leave nothing behind
	$(NODE) down

images: web-if-node ## Build our images and load them into the node, where something changed
	$(NODE) images

deploy: ## Install or upgrade the chart on the cluster that KUBECONFIG names
	helm upgrade --install mlworkflow charts/mlworkflow --namespace mlworkflow-system --create-namespace --wait --timeout 5m \
	  --set-string operator.podAnnotations.deployed="$$(date +%s)" $(HELM_ARGS)

kind: web-if-node ## Create a kind cluster, install everything, run the example (needs docker, kind, helm, kubectl)
	python3 tests/kind up

kind-down: ## Delete that kind cluster
	python3 tests/kind down
