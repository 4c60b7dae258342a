"""Which folders become which packages; all else is in pyproject.toml.

`k8s-tuning init` copies dags/ and include/configs/ out of an installed wheel, where they are data of the package.
"""

from setuptools import find_namespace_packages, setup

LAID_OUT = {"k8s_tuning.project.dags": "dags", "k8s_tuning.project.configs": "include/configs"}

setup(
    packages=[*find_namespace_packages("plugins", exclude=["*.__pycache__*", "*.egg-info"]), *LAID_OUT],
    package_dir={"": "plugins", **LAID_OUT},
)
