"""A session whose Jobs the tests make."""

from dataclasses import replace

from k8s_tuning.stages.generate.session import K8sOrchestratorConfig


def session(**changes):
    config = K8sOrchestratorConfig(
        session_id="d29-k8s-demo-session",
        k8s_namespace="trading-bots",
        image="registry.example/arbitrage-lite:1.0.0",
        mode="paper",
        env="docker",
        total_iterations=6,
        workers=2,
        optimizer="bayesian",
        config_path="configs/d23_tuning/advanced_baseline.yaml",
        extra_env={"APP_ENV": "docker", "REDIS_PORT": "6379"},
        resources={"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    )
    return replace(config, **changes)
